"""Images from noise: generative adversarial networks."""
