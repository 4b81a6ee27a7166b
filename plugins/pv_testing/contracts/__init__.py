"""What a provider is spoken to like: the YAML contracts, loaded, validated and compiled."""
