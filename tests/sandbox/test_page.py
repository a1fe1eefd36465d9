"""The page for people, without JavaScript."""

import pytest
import requests
from bs4 import BeautifulSoup, Tag

from sandbox.running import Running


def page(network: Running) -> BeautifulSoup:
    answer = requests.get(network.url, timeout=60)
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    return BeautifulSoup(answer.text, "html.parser")


def button(soup: BeautifulSoup, name: str) -> Tag:
    (found,) = [one for one in soup.find_all("button") if one.get_text(strip=True) == name]
    return found


def test_a_resident_posts_from_the_page(network: Running) -> None:
    form = {"name": "Jane Elm", "platform": "x", "text": "Pothole on Elm", "in_reply_to": ""}

    answer = requests.post(f"{network.url}/posts", data=form, timeout=60, allow_redirects=False)

    assert answer.status_code == 303
    (post,) = network.ctl.posts()
    assert (post["author"], post["text"]) == ("Jane_Elm", "@alderfalls Pothole on Elm")
    assert "Pothole on Elm" in page(network).get_text()


def test_every_field_has_its_label(network: Running) -> None:
    network.ctl.post("Pothole")
    soup = page(network)

    labels = {label["for"]: label.get_text(strip=True) for label in soup.find_all("label")}

    assert [labels[name] for name in ("name", "platform", "text")] == ["Your name", "Platform", "Your post"]
    fields = [one for one in soup.find_all(["input", "select", "textarea"]) if one.get("type") != "hidden"]
    assert {field["id"] for field in fields} <= set(labels)
    assert button(soup, "Post as resident")


def test_a_post_cannot_bring_its_own_html(network: Running) -> None:
    network.ctl.post("<script>alert(1)</script>", author="eve")

    assert "<script>alert" not in requests.get(network.url, timeout=60).text


def test_a_reply_is_nested_and_the_citys_is_marked(network: Running) -> None:
    post = network.ctl.post("Pothole", author="jane_elm")
    network.ctl.post("On it", as_="city", in_reply_to=post)
    form = {"name": "Bob", "platform": "x", "text": "Here too", "in_reply_to": post}

    requests.post(f"{network.url}/posts", data=form, timeout=60)

    replies = page(network).select(f"#post-{post} .replies .post")
    assert [("City reply" in reply.get_text()) for reply in replies] == [True, False]


def test_a_residents_post_can_be_edited_and_deleted(network: Running) -> None:
    post = network.ctl.post("Pothole", author="Jane", platform="facebook")

    requests.post(f"{network.url}/posts/{post}/edit", data={"text": "Two potholes"}, timeout=60)
    edited = network.ctl.posts()[0]["text"]
    requests.post(f"{network.url}/posts/{post}/delete", timeout=60)

    assert edited == "Two potholes"
    assert network.ctl.posts() == []


def test_the_citys_words_cannot_be_changed_here(network: Running) -> None:
    post = network.ctl.post("Roads close at noon", as_="city")

    assert requests.post(f"{network.url}/posts/{post}/delete", timeout=60).status_code == 403


def test_a_request_is_closed_with_a_note(network: Running) -> None:
    form = {"api_key": "sandbox-api-key", "service_code": "noise", "address_string": "1 Elm St", "description": "Loud"}
    id = requests.post(f"{network.url}/open311/v2/requests.json", data=form, timeout=60).json()[0]["service_request_id"]
    close = button(page(network), "Close request").find_parent("form")
    assert close is not None

    requests.post(f"{network.url}{close['action']}", data={"status_notes": "Talked to them"}, timeout=60)

    (ticket,) = network.ctl.requests()
    assert (ticket["service_request_id"], ticket["status"], ticket["status_notes"]) == (id, "closed", "Talked to them")


@pytest.mark.parametrize(
    "form", [{"name": "", "text": "a"}, {"name": "a", "text": " "}, {"name": "a", "text": "b", "platform": "z"}]
)
def test_an_empty_form_comes_back_with_a_word(network: Running, form: dict[str, str]) -> None:
    answer = requests.post(f"{network.url}/posts", data={"platform": "x", **form}, timeout=60)

    assert BeautifulSoup(answer.text, "html.parser").select_one("[role=alert]")
    assert network.ctl.posts() == []


def test_another_sites_form_is_refused(network: Running) -> None:
    form = {"name": "Eve", "platform": "x", "text": "Spam"}

    answer = requests.post(f"{network.url}/posts", data=form, headers={"Sec-Fetch-Site": "cross-site"}, timeout=60)

    assert answer.status_code == 403


def test_the_style_and_the_script_come_from_here(network: Running) -> None:
    soup = page(network)
    addresses = [soup.select_one("link[rel=stylesheet]")["href"], soup.select_one("script")["src"]]  # type: ignore[index]  # asserted below

    assert all(requests.get(f"{network.url}{address}", timeout=60).ok for address in addresses)
    assert soup.select_one("script").get_text() == ""  # type: ignore[union-attr]  # it is there, see above
