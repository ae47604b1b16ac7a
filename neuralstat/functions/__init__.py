"""What a unit or an error is, as scalar kernels: activations, losses, deviances, inverse links, penalties."""
