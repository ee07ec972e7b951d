"""Random plans: drawn, tried against the model, counted, and shrunk where a prediction is refuted."""
