"""A small sphere tracer in numpy, and the scenes that it renders for the demo's examples."""
