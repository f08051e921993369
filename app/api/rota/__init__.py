"""The rota as JSON."""
