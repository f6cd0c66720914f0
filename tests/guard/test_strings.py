from guard.strings import strings


def test_every_string_of_a_schema_is_found_in_order():
    tool = {"name": "find", "parameters": {"enum": ["Mira", 3, None], "description": "who"}, "strict": True}
    assert list(strings(tool)) == ["name", "find", "parameters", "enum", "Mira", "description", "who", "strict"]
    assert list(strings("x")) == ["x"]
    assert list(strings(None)) == []


def test_depth_is_no_bound():
    value = "deep"
    for _ in range(5000):
        value = [value]
    assert list(strings(value)) == ["deep"]
