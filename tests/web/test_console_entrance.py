"""Who gets in to the console, who does not, and what a browser may do with its pages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from front import PUBLIC, given
from office import (
    COOKIE,
    NAME,
    OTHER,
    OTHER_PASSWORD,
    PASSWORD,
    UNKNOWN,
    USERS,
    Operator,
    console,
    text_of,
    token_of,
    unknown,
)

from payagent import wiring

PAGES = (f"/console/calls/{UNKNOWN}", "/console/nothing/here")
WRONG = "not the password at all"


async def test_without_a_credential_there_is_no_console(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No CONSOLE_USERS: every address of it is unknown, and the start-up says how to switch it on."""
    async with console(tmp_path, monkeypatch, CONSOLE_USERS="") as stranger:
        found = [(await stranger.get(path)).status_code for path in ("/console", "/console/log-in", *PAGES)]

    assert found == [404] * 4
    assert "payagent console-password NAME" in capsys.readouterr().out


@pytest.mark.parametrize("path", PAGES)
async def test_a_stranger_is_led_to_the_log_in_and_back(stranger: Operator, path: str) -> None:
    """A page asked for without a log-in is shown after it."""
    led = await stranger.get(path)
    form = await stranger.get(led.headers["location"])
    (back,) = re.findall(r'name="next" value="([^"]*)"', form.text)
    entered = await stranger.log_in(next=back)

    assert (led.status_code, entered.status_code, entered.headers["location"]) == (303, 303, path)


async def test_nobody_is_led_elsewhere_after_a_log_in(stranger: Operator) -> None:
    """The address to go back to is one of the console's own, or its first page."""
    for elsewhere in ("https://evil.test/", "//evil.test", "/console/..//x\\", "/api", "/console@x.test", "/console\n"):
        entered = await stranger.log_in(next=elsewhere)

        assert entered.headers["location"] == "/console", elsewhere


async def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(stranger: Operator) -> None:
    """Neither tells which names there are; what was typed as the name stays, the password does not."""
    answers = [await stranger.log_in(name, WRONG) for name in (NAME, "eve")]
    pages = [re.sub(r'name="token" value="\w+"|value="(ann|eve)"', "", answer.text) for answer in answers]

    assert [answer.status_code for answer in answers] == [401, 401]
    assert pages[0] == pages[1]
    assert f'value="{NAME}"' in answers[0].text
    assert not any(WRONG in answer.text for answer in answers)


async def test_an_unknown_name_costs_as_much_as_a_known_one(
    stranger: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The password is put through the same function, at the same cost, whether or not the name exists."""
    from payagent.web.console import passwords

    costs: list[tuple[int, ...]] = []
    derive = passwords._derive
    monkeypatch.setattr(passwords, "_derive", lambda *args: costs.append(args[2:]) or derive(*args))
    await stranger.log_in(NAME, WRONG)
    await stranger.log_in("eve", WRONG)

    assert len(costs) == 2
    assert costs[0] == costs[1]


async def test_a_log_in_sets_a_cookie_that_scripts_and_other_sites_do_not_get(stranger: Operator) -> None:
    """HttpOnly, SameSite=Strict, Secure, of this host only, and gone with the browser."""
    kept = [cookie for cookie in (await stranger.log_in()).headers.get_list("set-cookie") if COOKIE in cookie]

    assert len(kept) == 1
    assert kept[0].split("; ")[1:] == ["HttpOnly", "Path=/", "SameSite=strict", "Secure"]


async def test_on_a_loopback_http_origin_the_cookie_is_not_secure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A browser would not send a Secure cookie back there; HSTS is not sent either."""
    async with console(tmp_path, monkeypatch, PUBLIC_URL="http://127.0.0.1:3000") as stranger:
        answer = await stranger.log_in()

    assert all("Secure" not in cookie for cookie in answer.headers.get_list("set-cookie"))
    assert "strict-transport-security" not in answer.headers


async def test_a_log_in_begins_a_visit_of_its_own(stranger: Operator) -> None:
    """A cookie that somebody planted before the log-in, and the token they know of it, are worth nothing after it."""
    token = await stranger.token()
    planted = stranger.client.cookies[COOKIE]
    await stranger.client.post("/console/log-in", data={"token": token, "name": NAME, "password": PASSWORD})
    own, own_token = stranger.client.cookies[COOKIE], await stranger.token("/console/nothing")
    stranger.client.cookies.clear()
    stranger.client.cookies.set(COOKIE, planted, domain="pay.example.test")

    assert own != planted
    assert own_token != token
    assert (await stranger.get(PAGES[0])).status_code == 303


async def test_a_cookie_that_is_not_ours_is_no_visit(ann: Operator) -> None:
    """A changed, cut, foreign, swapped or endless one leads to the log-in."""
    body, _, mac = ann.client.cookies[COOKIE].partition(".")
    for spoilt in (
        f"{body}.{'1' if mac[0] == '0' else '0'}{mac[1:]}",
        body,
        f"{'äöü'.encode().hex()}.{mac}",
        f"not hexadecimal.{mac}",
        f"{b'[1]'.hex()}.{mac}",
        f"{bytes.fromhex(body).replace(b'ann', b'bob').hex()}.{mac}",
        f"{body * 20}.{mac}",
        "",
        ann.client.cookies["__Host-payagent-known"],
    ):
        ann.client.cookies.clear()
        answer = await ann.get(PAGES[0], Cookie=f"{COOKIE}={spoilt}")

        assert answer.status_code == 303, spoilt


async def test_a_log_in_is_over_after_its_longest_time_and_after_an_idle_hour(ann: Operator) -> None:
    """Pages asked for keep it up, to twelve hours; updates that a page fetches by itself do not."""
    seen = []
    for minutes in (59, 59, 61):
        ann.clock.go_on(minutes=minutes)
        seen.append((await ann.get("/console/nothing")).status_code)
    await ann.log_in()
    for _ in range(12):
        ann.clock.go_on(minutes=59)
        await ann.get("/console/nothing")
    seen.append((await ann.get("/console/nothing")).status_code)
    ann.clock.go_on(minutes=13)
    seen.append((await ann.get("/console/nothing")).status_code)

    assert seen == [404, 404, 303, 404, 303]


async def test_updates_do_not_keep_a_log_in_up(ann: Operator) -> None:
    """A board left open is logged out: its updates are answered by 401."""
    await ann.write(unknown())
    await ann.log_in()
    ann.clock.go_on(minutes=59)
    before = await ann.get(f"{PAGES[0]}?known=1")
    ann.clock.go_on(minutes=2)
    after = await ann.get(f"{PAGES[0]}?known=1")

    assert (before.status_code, after.status_code) == (200, 401)


async def test_a_changed_password_ends_the_visits_made_with_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So does a name that was taken out; the others stay."""
    async with console(tmp_path, monkeypatch) as first:
        await first.log_in()
        ann_kept = first.client.cookies[COOKIE]
        await first.log_in(OTHER, OTHER_PASSWORD)
        bob_kept = first.client.cookies[COOKIE]
    ann_again = f"{NAME}:{USERS.split(',')[1].partition(':')[2]}"
    async with console(tmp_path, monkeypatch, CONSOLE_USERS=f"{ann_again},{USERS.split(',')[1]}") as then:
        seen = [
            (await then.get("/console/nothing", Cookie=f"{COOKIE}={kept}")).status_code for kept in (ann_kept, bob_kept)
        ]
    async with console(tmp_path, monkeypatch, CONSOLE_USERS=USERS.split(",")[0]) as last:
        seen.append((await last.get("/console/nothing", Cookie=f"{COOKIE}={bob_kept}")).status_code)

    assert seen == [303, 404, 303]


async def test_who_logs_out_has_to_log_in_again(ann: Operator) -> None:
    """The cookie is taken back."""
    left = await ann.post("/console/log-out", "/console/nothing")

    assert (left.status_code, left.headers["location"]) == (303, "/console/log-in")
    assert COOKIE not in ann.client.cookies
    assert (await ann.get("/console/nothing")).status_code == 303


async def test_who_is_logged_in_is_led_past_the_log_in(ann: Operator) -> None:
    """The form is for those outside."""
    led = await ann.get("/console/log-in?next=/console/calls")

    assert (led.status_code, led.headers["location"]) == (303, "/console/calls")


# Forms of other sites


@pytest.mark.parametrize("path", ["/console/log-out", f"/console/calls/{UNKNOWN}/outcome"])
async def test_a_form_without_its_visits_token_changes_nothing(ann: Operator, path: str) -> None:
    """None, a wrong one, and one of another visit are all refused, in words that say what to do."""
    await ann.write(unknown())
    before = len(await ann.steps())
    other = token_of(await httpx.AsyncClient(transport=ann.client._transport, base_url=PUBLIC).get("/console/log-in"))
    said = {"outcome": "not_paid", "why": "x"}
    answers = [await ann.client.post(path, data=said | token) for token in ({}, {"token": "é"}, {"token": other})]

    assert [answer.status_code for answer in answers] == [403] * 3
    assert "Load the page again" in text_of(answers[0])
    assert len(await ann.steps()) == before
    assert (await ann.get("/console/nothing")).status_code == 404


async def test_a_form_that_the_browser_says_is_another_sites_changes_nothing(ann: Operator) -> None:
    """Even with the right token."""
    for site in ("cross-site", "same-site", "none"):
        answer = await ann.post("/console/log-out", "/console/nothing", headers={"Sec-Fetch-Site": site})

        assert answer.status_code == 403, site
    assert (await ann.get("/console/nothing")).status_code == 404


async def test_another_site_cannot_log_somebody_in(stranger: Operator) -> None:
    """A log-in form that was not shown to this browser is refused, even with the right password."""
    answer = await stranger.client.post("/console/log-in", data={"name": NAME, "password": PASSWORD, "token": "0" * 64})

    assert answer.status_code == 403
    assert (await stranger.get("/console/nothing")).status_code == 303


async def test_a_form_of_a_visit_that_is_over_changes_nothing(ann: Operator) -> None:
    """It is told that it is too old, instead of being led to the log-in and lost."""
    await ann.write(unknown())
    token = await ann.token(PAGES[0])
    ann.clock.go_on(hours=2)
    answer = await ann.client.post(f"{PAGES[0]}/outcome", data={"token": token, "outcome": "not_paid", "why": "x"})

    assert answer.status_code == 403
    assert not any("resolved" in step.row for step in await ann.steps())


@pytest.mark.parametrize(("body", "status"), [(b"x" * 20_000, 413), (b"token=\xff\xfe", 400)])
async def test_a_form_that_is_too_long_or_no_text_is_refused(ann: Operator, body: bytes, status: int) -> None:
    """It is not read any further."""
    answer = await ann.client.post("/console/log-out", content=body)

    assert answer.status_code == status


# Guessing


async def test_guessing_a_name_is_stopped_but_its_owner_is_not_kept_out(ann: Operator) -> None:
    """After ten failures nobody gets to guess on; the browser that has logged in before still gets in."""
    await ann.post("/console/log-out", "/console/nothing")
    guesser = Operator(ann.app, httpx.AsyncClient(transport=ann.client._transport, base_url=PUBLIC), ann.clock)
    guessed = [(await guesser.log_in(NAME, WRONG)).status_code for _ in range(10)]
    stopped = await guesser.log_in(NAME, PASSWORD)
    owner = await ann.log_in()
    ann.clock.go_on(minutes=16)
    later = await guesser.log_in(NAME, PASSWORD)

    assert guessed == [401] * 10
    assert (stopped.status_code, stopped.headers["retry-after"]) == (429, "900")
    assert "Wait 15 minutes" in text_of(stopped)
    assert owner.status_code == 303
    assert later.status_code == 303


async def test_guessing_from_an_address_is_stopped_whatever_the_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names that nobody has count too."""
    async with console(tmp_path, monkeypatch, CONSOLE_GUESSES_PER_ADDRESS="3") as stranger:
        seen = [(await stranger.log_in(f"eve{n}", WRONG)).status_code for n in range(4)]
        right = await stranger.log_in()

    assert [*seen, right.status_code] == [401, 401, 401, 429, 429]


async def test_a_browser_that_is_known_may_not_guess_for_ever_either(ann: Operator) -> None:
    """Its own failures are counted."""
    seen = [(await ann.log_in(NAME, WRONG)).status_code for _ in range(11)]

    assert seen == [401] * 10 + [429]


async def test_a_browser_known_for_one_name_is_a_stranger_to_another(ann: Operator) -> None:
    """Its guesses count against that name, as anybody's do."""
    await ann.log_in(OTHER, WRONG)
    for _ in range(9):
        await ann.log_in(OTHER, WRONG)
    stranger = Operator(ann.app, httpx.AsyncClient(transport=ann.client._transport, base_url=PUBLIC), ann.clock)

    assert (await stranger.log_in(OTHER, OTHER_PASSWORD)).status_code == 429


async def test_what_is_typed_as_a_name_is_not_logged(stranger: Operator, capsys: pytest.CaptureFixture[str]) -> None:
    """People type passwords into the wrong field; names that exist are logged with the address."""
    await stranger.log_in(PASSWORD, "")
    await stranger.log_in(NAME, WRONG)
    logged = capsys.readouterr().out

    assert PASSWORD not in logged
    assert WRONG not in logged
    assert re.search(r"log-in failed\s+address=127.0.0.1 name=unknown", logged)
    assert re.search(r"log-in failed\s+address=127.0.0.1 name=ann", logged)


# Headers


async def test_no_page_may_be_kept_framed_or_load_what_is_not_ours(ann: Operator) -> None:
    """Every answer has the same headers, refusals and redirects too; no script or style stands in a page."""
    await ann.write(unknown())
    answers = [
        await ann.get(PAGES[0]),
        await ann.get("/console/nothing"),
        await ann.get("/console/log-in"),
        await ann.client.post("/console/log-out"),
        await ann.client.put("/console/log-out"),
        await httpx.AsyncClient(transport=ann.client._transport, base_url=PUBLIC).get(PAGES[0]),
    ]
    for answer in answers:
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))

        assert policy["default-src"] == "'none'"
        assert set(policy.values()) <= {"'none'", "'self'"}
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["strict-transport-security"]
        assert not re.search(r"<style|<script(?! src=\"/console/static/)|\sstyle=|\son\w+=|javascript:", answer.text)
        assert not re.search(r"(src|href|action)=\"(?!/console|#)", answer.text)


async def test_files_are_open_to_all_and_asked_for_anew(stranger: Operator) -> None:
    """The log-in page needs them; what the browser has already is not sent again."""
    for name, kind in (("base.css", "text/css"), ("console.css", "text/css"), ("console.js", "text/javascript")):
        sent = await stranger.get(f"/console/static/{name}")
        again = await stranger.get(f"/console/static/{name}", **{"If-None-Match": sent.headers["etag"]})

        assert (sent.status_code, sent.headers["content-type"].split(";")[0]) == (200, kind)
        assert (again.status_code, again.content) == (304, b"")
        assert sent.headers["cache-control"] == "no-cache"
    assert (await stranger.get("/console/static/../routes.py")).status_code in (303, 404)


def test_the_keys_of_cookies_and_seals_differ(tmp_path: Path) -> None:
    """Who can make cookies cannot make records."""
    settings = given(tmp_path / "x.db", CONSOLE_USERS=USERS)
    keys: list[Any] = []
    import payagent.web.console.routes as made

    original = made.routes
    try:
        made.routes = lambda console, *rest: keys.append(console.key) or original(console, *rest)  # type: ignore[assignment]
        wiring.console_of(settings, wiring.flow_of(settings))
    finally:
        made.routes = original

    assert keys[0] != settings.journal_secret
