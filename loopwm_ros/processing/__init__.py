"""The model bundle's data, made ready for the model: one implementation for training and robot."""
