"""Networks, addresses and DNS."""

from __future__ import annotations

from typing import Any

from tests.terraform.resource_rules.names import RFC1035
from tests.terraform.rules import Rules, matches

COMPUTE = "https://www.googleapis.com/compute/v1/projects/{project}"


def compute(collection: str, *force_new: str, **more: Any) -> Rules:
    """A resource of Compute Engine: a name, a self link, and most of it fixed at creation."""
    return Rules(
        id=f"projects/{{project}}/{collection}/{{name}}",
        force_new=("name", *force_new),
        computed={"self_link": f"{COMPUTE}/{collection}/{{name}}", **more.pop("computed", {})},
        patterns={"name": RFC1035, **more.pop("patterns", {})},
        **more,
    )


NETWORK = {
    "google_compute_network": compute(
        "global/networks",
        "auto_create_subnetworks",
        "description",
        "delete_default_routes_on_create",
        "network_profile",
        defaults={
            "auto_create_subnetworks": True,
            "delete_default_routes_on_create": False,
            "network_firewall_policy_enforcement_order": "AFTER_CLASSIC_FIREWALL",
        },
        computed={
            "gateway_ipv4": "",
            "mtu": 1460,
            "routing_mode": "REGIONAL",
            "numeric_id": "{serial}",
            "network_id": "{serial}",
        },
    ),
    "google_compute_subnetwork": compute(
        "regions/{region}/subnetworks",
        "network",
        "region",
        "purpose",
        "ip_cidr_range",
        computed={
            "purpose": "PRIVATE",
            "stack_type": "IPV4_ONLY",
            "private_ip_google_access": False,
            "gateway_address": "10.0.0.1",
        },
        kept={"secondary_ip_range": []},
        api_checks=(matches(ip_cidr_range=r"\d+\.\d+\.\d+\.\d+/\d+", secondary_ip_range__ip_cidr_range=r"[\d.]+/\d+"),),
    ),
    "google_compute_global_address": compute(
        "global/addresses",
        "address",
        "address_type",
        "ip_version",
        "network",
        "prefix_length",
        "purpose",
        "description",
        defaults={"address_type": "EXTERNAL"},
        computed={"address": "10.200.0.0", "prefix_length": 0, "label_fingerprint": "{hash}"},
        enums={"address_type": ("EXTERNAL", "INTERNAL"), "purpose": ("VPC_PEERING", "PRIVATE_SERVICE_CONNECT")},
    ),
    "google_compute_firewall": compute(
        "global/firewalls",
        "network",
        "direction",
        defaults={"priority": 1000},
        computed={"direction": "INGRESS", "enable_logging": False},
        enums={"direction": ("INGRESS", "EGRESS")},
        exactly_one=(("allow", "deny"),),
    ),
    "google_compute_route": compute(
        "global/routes", "network", "dest_range", "next_hop_gateway", "priority", "tags", defaults={"priority": 1000}
    ),
    "google_compute_router": compute("regions/{region}/routers", "network", "region"),
    "google_compute_router_nat": Rules(
        id="{project}/{region}/{router}/{name}",
        force_new=("name", "router", "region"),
        enums={
            "source_subnetwork_ip_ranges_to_nat": (
                "ALL_SUBNETWORKS_ALL_IP_RANGES",
                "ALL_SUBNETWORKS_ALL_PRIMARY_IP_RANGES",
                "LIST_OF_SUBNETWORKS",
            ),
            "nat_ip_allocate_option": ("MANUAL_ONLY", "AUTO_ONLY"),
        },
    ),
    "google_service_networking_connection": Rules(
        id="{network}:{service}",
        force_new=("network", "service"),
        computed={"peering": "servicenetworking-googleapis-com"},
    ),
    "google_dns_managed_zone": Rules(
        id="projects/{project}/managedZones/{name}",
        force_new=("name", "dns_name", "visibility"),
        defaults={"description": "Managed by Terraform", "visibility": "public", "force_destroy": False},
        enums={"visibility": ("private", "public")},
        patterns={"dns_name": r".+\."},
    ),
    "google_dns_record_set": Rules(
        id="projects/{project}/managedZones/{managed_zone|last}/rrsets/{name}/{type}",
        force_new=("name", "managed_zone"),
        patterns={"name": r".+\."},
    ),
}
