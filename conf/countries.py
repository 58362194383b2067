"""Countries whose call-progress tones are known (REG-18); how they sound stands in `pbx.tones`."""

OF_LANGUAGE = {"en": "us", "ru": "ru"}  # where it is spoken most
COUNTRIES = ("de", "dk", "es", "fr", "gr", "it", "jp", "nl", "pl", "pt", "ru", "uk", "us")


def country_of(country: str, language: str) -> str:
    """That of an office: what it says, else that of its language."""
    return country or OF_LANGUAGE.get(language, "")
