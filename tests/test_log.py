from app.log import without_personal_data


def test_only_known_fields_are_logged_and_numbers_are_masked() -> None:
    entry = without_personal_data(
        None, "info", {"event": "rang +381 64 123-4567 twice", "number": "+381641234567"}
    )
    assert entry == {"event": "rang [number] twice", "number": "[not logged]"}
