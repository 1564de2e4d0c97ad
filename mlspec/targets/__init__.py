"""The only room that touches the world: observe, perform, record. One folder a target."""
