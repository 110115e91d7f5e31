"""Controls to play with in a notebook, each of which leaves a still, or a control without a kernel, in an exported page."""
