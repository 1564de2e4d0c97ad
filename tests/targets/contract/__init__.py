"""What `targets.contract` asks of every store, asked of the stores that mlspec brings itself."""
