"""What trained world models are worth on recordings they have not seen: `loopwm evaluate`."""
