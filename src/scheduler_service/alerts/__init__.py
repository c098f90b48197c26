"""The ways to people: channels, what is written to each, and the guard in front of other machines."""
