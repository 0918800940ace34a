"""Test and demonstration images: layers, layouts, registries."""
