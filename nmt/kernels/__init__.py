"""Everything that knows a device: a plain form and a fast form side by side, and one face that chooses."""
