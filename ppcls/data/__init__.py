"""Pictures: datasets, transforms, samplers, the loader, and what is made of a model's scores."""
