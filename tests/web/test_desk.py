"""What the routes share: tokens for relays, and what stands for a caller's number."""

from __future__ import annotations

from pathlib import Path

from front import CALL, OTHER_CALL, opened

from payagent.web.desk import FrontDesk


async def desk_of(tmp_path: Path, **changes: object) -> FrontDesk:
    """The desk of an app that has run for a moment."""
    async with opened(tmp_path, **changes) as front:
        desk: FrontDesk = front.app.state.desk
        return desk


async def test_a_token_fits_its_call_only(tmp_path: Path) -> None:
    """Each is fresh, fits as often as it is shown, and fits nothing on a line with another key."""
    desk = await desk_of(tmp_path)
    other = await desk_of(tmp_path, JOURNAL_KEY="another key")
    first, second = desk.token(CALL), desk.token(CALL)

    assert first != second
    assert desk.token_fits(CALL, first)
    assert desk.token_fits(CALL, second)
    assert not desk.token_fits(OTHER_CALL, first)
    assert not other.token_fits(CALL, first)


async def test_a_caller_is_known_again_without_the_number(tmp_path: Path) -> None:
    """The same for the same number on this line, another on a line with another key, and nothing for a nameless one."""
    desk = await desk_of(tmp_path)
    other = await desk_of(tmp_path, JOURNAL_KEY="another key")
    number = "+15551230100"

    others = ("+15551230101", "+15559990100", "15551230100")

    assert desk.caller_id(number) == desk.caller_id(number)
    assert desk.caller_id(number) not in [desk.caller_id(other) for other in others]
    assert desk.caller_id(number) != other.caller_id(number)
    assert "0100" not in desk.caller_id(number)
    assert [desk.caller_id(nameless) for nameless in ("", "anonymous", "client:bob")] == ["", "", ""]
