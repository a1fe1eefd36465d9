"""services.csv: what it gives, and what is said of a bad one."""

from pathlib import Path

import pytest

from errors import ConfigError
from places.services import by_general_code, choose, load_services

HEADER = "service_code,service_name,maps_to,sla,keywords,public,confidential,needs_place"


def a_file(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / "services.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def test_a_line_becomes_a_service(tmp_path: Path) -> None:
    path = a_file(tmp_path, 'hole,Pothole,pothole_road,P3D,"pothole; bache, hoyo",no,yes,false')

    (service,) = load_services(path)

    assert service.service_code == "hole"
    assert service.keywords == ("pothole", "bache", "hoyo")
    assert (service.public, service.confidential, service.needs_place) == (False, True, False)


def test_what_is_left_out_is_public_and_needs_a_place(tmp_path: Path) -> None:
    (service,) = load_services(a_file(tmp_path, "hole,Pothole", header="service_code,service_name"))

    assert (service.public, service.confidential, service.needs_place, service.sla) == (True, False, True, "")


def test_a_byte_order_mark_and_blank_lines_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "services.csv"
    path.write_text("\ufeffservice_code,service_name\n\nhole,Pothole\n,\n", encoding="utf-8")

    assert [service.service_code for service in load_services(path)] == ["hole"]


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("a b,Pothole", ["line 2", "service_code", "'a b'", "letters"]),
        (",Pothole", ["line 2", "service_code", "''"]),
        ("hole,", ["line 2", "service_name"]),
        ("hole,Pothole,potholes", ["line 2", "maps_to", "'potholes'", "pothole_road"]),
        ("hole,Pothole,pothole_road,3 days", ["line 2", "sla", "'3 days'", "P3D"]),
        ("hole,Pothole,pothole_road,P1M", ["line 2", "sla", "'P1M'"]),
        ("hole,Pothole,pothole_road,-P1D", ["line 2", "sla", "'-P1D'"]),
        ("hole,Pothole,pothole_road,P0D", ["line 2", "sla", "'P0D'"]),
        ("hole,Pothole,pothole_road,P3D,,maybe", ["line 2", "public", "'maybe'", "true or false"]),
        ("hole,Pothole\nhole,Another", ["line 3", "service_code", "'hole'", "unique"]),
        ("hole,Pothole,pothole_road,P3D,a,true,false,true,extra", ["line 2", "'extra'", "quotes"]),
        ('hole,"Pothole', ["line 2", "quotes"]),
        ("", ["lists no service"]),
    ],
)
def test_a_bad_line_is_named_with_its_remedy(line: str, parts: list[str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_services(a_file(tmp_path, line))

    message = str(caught.value)
    assert "services.csv" in message
    assert [part for part in parts if part not in message] == []


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("service_code", "column service_name is missing"),
        ("service_code,service_name,colour", "'colour': unknown"),
        ("service_code,service_name,service_name", "there twice"),
    ],
)
def test_a_bad_header_is_named(header: str, part: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=part):
        load_services(a_file(tmp_path, header=header))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.csv: cannot be read"):
        load_services(tmp_path / "nowhere.csv")


def test_a_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    path = tmp_path / "services.csv"
    path.write_bytes("service_code,service_name\nhole,Daño\n".encode("latin-1"))

    with pytest.raises(ConfigError, match="UTF-8"):
        load_services(path)


THREE = (
    "missed,Missed pickup,trash_dumping,P1D,missed",
    "dumping,Illegal dumping,trash_dumping,P3D,dumped; mattress; colchón",
    "state,State road,,,highway 47; state",
)


@pytest.mark.parametrize(
    ("general", "text", "code"),
    [
        ("trash_dumping", "somebody DUMPED a mattress", "dumping"),
        ("trash_dumping", "tiraron un colchon", "dumping"),
        ("trash_dumping", "two mattresses and old mattress", "dumping"),
        ("trash_dumping", "so much trash", "missed"),
        ("pothole_road", "hole on Highway 47!", "state"),
        ("pothole_road", "the state of this road", None),
        ("graffiti", "tags everywhere", None),
    ],
)
def test_keywords_decide_between_services_of_one_code(
    general: str, text: str, code: str | None, tmp_path: Path
) -> None:
    services = load_services(a_file(tmp_path, *THREE))

    chosen = choose(services, general, text)

    assert (chosen.service_code if chosen else None) == code


def test_the_first_of_a_general_code_stands_for_it(tmp_path: Path) -> None:
    services = load_services(a_file(tmp_path, *THREE))

    first = by_general_code(services, "trash_dumping")

    assert first is not None
    assert first.service_code == "missed"
    assert by_general_code(services, "noise") is None
