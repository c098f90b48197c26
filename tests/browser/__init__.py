"""Journeys in a real browser. A package, so that its tests share the fixtures of the scope `package`."""
