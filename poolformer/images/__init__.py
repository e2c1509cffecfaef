"""Pictures: opening untrusted files, and turning pictures into the tensors that the network expects."""
