"""From lowered groups to one compiled function of tensors."""
