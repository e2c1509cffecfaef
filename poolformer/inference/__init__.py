"""From a name and a picture to activations: loaded variants, one queue for the network, batches."""
