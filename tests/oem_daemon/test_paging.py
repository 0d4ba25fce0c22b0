"""Pages and the tokens between them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oem_daemon.paging import page_of, page_size, place_of, token_of
from oem_security import InputError


@given(items=st.lists(st.integers(), max_size=30), size=st.integers(1, 12))
def test_pages_in_memory_are_the_whole(items: list[int], size: int) -> None:
    token, found = "", []
    while True:
        page, token = page_of(items, size, token)
        assert len(page) <= size
        found += page
        if not token:
            break
    assert found == items


@given(st.integers(0, 2**62), st.text("abcdef0123456789:-", min_size=1))
def test_a_place_survives_its_token(time_ns: int, name: str) -> None:
    assert place_of(token_of((time_ns, name))) == (time_ns, name)
    assert token_of(None) == ""
    assert place_of("") is None


@pytest.mark.parametrize("token", ["x", "1:", ":a", "-1:a", "1.5:a", "٣:a", "9" * 30 + ":a"])
def test_another_token_is_refused(token: str) -> None:
    with pytest.raises(InputError, match="page_token"):
        place_of(token)
    with pytest.raises(InputError, match="page_token"):
        page_of([1], 1, token)


@pytest.mark.parametrize("size", [-1, 100_000])
def test_too_large_a_page_is_refused(size: int) -> None:
    with pytest.raises(InputError, match="page_size"):
        page_size(size)
