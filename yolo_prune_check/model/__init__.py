"""Loading a model safely; its blocks, its layers and how they are addressed. Knows Ultralytics."""
