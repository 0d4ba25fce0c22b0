"""Whether value at risk and expected shortfall were what they claimed to be."""
