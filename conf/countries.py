"""Countries whose call-progress tones are known (REG-18); how they sound stands in `pbx.tones`."""

COUNTRIES = ("de", "dk", "es", "fr", "gr", "it", "jp", "nl", "pl", "pt", "ru", "uk", "us")
