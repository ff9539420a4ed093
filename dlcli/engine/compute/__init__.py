"""Where and how tensors are computed: devices, processes, gradients, number formats."""
