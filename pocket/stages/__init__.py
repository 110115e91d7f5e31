"""How each part of the models is trained."""
