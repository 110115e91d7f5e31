"""From a trained model to the folder that the course brings."""
