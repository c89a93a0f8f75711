"""Workers that die, stumble or freeze at each step of their work, and what others make of what they left."""
