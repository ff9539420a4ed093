"""Networks that make images from images or from noise, and what they are trained against."""
