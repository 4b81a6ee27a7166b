"""What is deployed: compose.yaml, the values of the Helm chart, the secrets."""
