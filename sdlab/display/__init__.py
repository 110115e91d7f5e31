"""How pictures, curves and architectures are shown."""
