"""People, workers and a platform that misbehaves, in every order that Hypothesis thinks of."""
