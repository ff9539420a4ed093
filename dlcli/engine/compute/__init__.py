"""Where and how tensors are computed: devices, processes, gradients, precision."""
