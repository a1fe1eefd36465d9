"""Every case is something a resident of Alder Falls might write."""

from pathlib import Path
from time import thread_time

import pytest

from places.finder import find_place, near
from places.gazetteer import Gazetteer, load

DEMO = Path(__file__).parents[2] / "demo"


@pytest.fixture(scope="module")
def alder_falls() -> Gazetteer:
    return load(DEMO / "streets.csv", DEMO / "neighborhoods.geojson")


FOUND = [
    # house numbers and blocks
    ("Big pothole at 1420 Oak St, please fix", "1420 Oak St", "1420 Oak Street"),
    ("1420 N Oak St has been dark for a week", "1420 N Oak St", "1420 Oak Street"),
    ("no trash pickup at 815 maple ave again", "815 maple ave", "815 Maple Street"),
    ("mattress dumped in front of 2210 Elm", "2210 Elm", "2210 Elm Street"),
    ("water everywhere, 1420 oak. come quick", "1420 oak", "1420 Oak Street"),
    ("Something rotten on the 1200 block of Elm", "1200 block of Elm", "1200 block of Elm Street"),
    ("120 block of Elm needs sweeping", "120 block of Elm", "120 block of Elm Street"),
    ("1400 block of W 5th St has no lights", "1400 block of W 5th St", "1400 block of 5th Street"),
    ("1900 5th st, sewer smell", "1900 5th st", "1900 5th Street"),
    ("Grafiti en la calle Maple 815", "calle Maple 815", "815 Maple Street"),
    ("hay un bache en el 1420 de la calle Oak", "1420 de la calle Oak", "1420 Oak Street"),
    ("bache grande, cuadra 1400 de Oak", "1400 de Oak", "1400 block of Oak Street"),
    ("dead deer at 300 N Prairie Ave", "300 N Prairie Ave", "300 N Prairie Avenue"),
    ("dead deer at 300 S. Prairie Ave.", "300 S. Prairie Ave", "300 S Prairie Avenue"),
    ("5210 Hwy 47, fence down", "5210 Hwy 47", "5210 Highway 47"),
    ("the drain at 1310 MLK Jr Blvd is blocked", "1310 MLK Jr Blvd", "1310 Martin Luther King Jr Boulevard"),
    ("610 Chavez Ave: no recogieron la basura", "610 Chavez Ave", "610 Cesar Chavez Avenue"),
    # crossings
    ("Light is out at 5th and Oak", "5th and Oak", "5th Street & Oak Street"),
    ("pothole oak & 5th", "oak & 5th", "Oak Street & 5th Street"),
    ("Oak &amp; 5th again", "Oak &amp; 5th", "Oak Street & 5th Street"),
    ("5TH/OAK SIGNAL DARK", "5TH/OAK", "5th Street & Oak Street"),
    ("crash @ Main @ 3rd", "Main @ 3rd", "Main Street & 3rd Street"),
    ("corner of Main and 3rd is flooded", "Main and 3rd", "Main Street & 3rd Street"),
    ("corner of Oak and Washington", "Oak and Washington", "Oak Street & Washington Street"),
    ("fifth and oak, walk button broken", "fifth and oak", "5th Street & Oak Street"),
    ("Signal stuck on red. Walnut St. and 9th St.", "Walnut St. and 9th St", "Walnut Street & 9th Street"),
    ("the stop sign on Elm St at Jefferson is gone", "Elm St at Jefferson", "Elm Street & Jefferson Street"),
    ("Maple near 12th, tree down", "Maple near 12th", "Maple Street & 12th Street"),
    ("On Cedar, right where it meets 7th St, huge hole", "Cedar, right where it meets 7th St",
     "Cedar Street & 7th Street"),
    ("esquina de Oak y Quinta sin luz", "Oak y Quinta", "Oak Street & 5th Street"),
    ("en la calle 5 con Oak hay un bache", "calle 5 con Oak", "5th Street & Oak Street"),
    ("semáforo apagado en la esquina de la 5 y Oak", "5 y Oak", "5th Street & Oak Street"),
    ("hay agua en la Elm y la Washington", "Elm y la Washington", "Elm Street & Washington Street"),
    ("fuga en Calle Principal y la 3ra", "Calle Principal y la 3ra", "Main Street & 3rd Street"),
    ("choque en Avenida Cesar Chavez y Elm", "Avenida Cesar Chavez y Elm", "Cesar Chavez Avenue & Elm Street"),
    ("MLK Blvd & 9th light out of time", "MLK Blvd & 9th", "Martin Luther King Jr Boulevard & 9th Street"),
    ("Park Ave & Grant: glass all over", "Park Ave & Grant", "Park Avenue & Grant Street"),
    ("Mill St and May St, dead skunk", "Mill St and May St", "Mill Street & May Street"),
    ("May & Foundry stop sign down", "May & Foundry", "May Street & Foundry Street"),
    ("Prairie and Division light is dark", "Prairie and Division", "Prairie Avenue & Division Street"),
    ("Wallnut & 5th: wires hanging low", "Wallnut & 5th", "Walnut Street & 5th Street"),
    ("Riverside Dr and Lincoln St flooding", "Riverside Dr and Lincoln St", "Riverside Drive & Lincoln Street"),
    ("hole on Highway 47 at Division Street", "Highway 47 at Division Street", "Highway 47 & Division Street"),
    ("7th n Birch needs plowing", "7th n Birch", "7th Street & Birch Street"),
    # between
    ("Elm between 3rd and 4th is a skating rink", "Elm between 3rd and 4th",
     "Elm Street between 3rd Street and 4th Street"),
    ("between 3rd and 4th on Elm, no plow yet", "between 3rd and 4th on Elm",
     "Elm Street between 3rd Street and 4th Street"),
    ("Oak St from Adams to Jefferson is all potholes", "Oak St from Adams to Jefferson",
     "Oak Street between Adams Street and Jefferson Street"),
    ("la calle Elm entre la 3 y la 4 no tiene luz", "calle Elm entre la 3 y la 4",
     "Elm Street between 3rd Street and 4th Street"),
    ("Maple entre Washington y Adams", "Maple entre Washington y Adams",
     "Maple Street between Washington Street and Adams Street"),
    # landmarks
    ("needles by the library", "library", "Alder Falls Public Library"),
    ("Swing broken in Riverside Park", "Riverside Park", "Riverside Park"),
    ("someone sleeping behind riverside park", "riverside park", "Riverside Park"),
    ("Riversde Park smells like a sewer", "Riversde Park", "Riverside Park"),
    ("#RiversidePark is a mess", "#RiversidePark", "Riverside Park"),
    ("smoke near St. Brigid’s", "St. Brigid’s", "St. Brigid Hospital"),
    ("smoke near Saint Brigid Hospital", "Saint Brigid Hospital", "St. Brigid Hospital"),
    ("ice in front of City Hall, somebody will fall", "City Hall", "City Hall"),
    ("basura frente a la biblioteca", "biblioteca", "Alder Falls Public Library"),
    ("un perro suelto cerca del hospital", "hospital", "St. Brigid Hospital"),
    ("Alguien rompió los columpios del Parque Lincoln", "Parque Lincoln", "Lincoln Park"),
    ("lights out at Lincoln Park", "Lincoln Park", "Lincoln Park"),
    ("bus never stops across from the high school", "high school", "Alder Falls High School"),
    ("9th St Bridge is icy", "9th St Bridge", "Ninth Street Bridge"),
    ("Kessler's Hardware lot is full of carts", "Kessler's Hardware", "Kessler's Hardware"),
    ("somebody tagged the Old Flour Mill again", "Old Flour Mill", "Old Flour Mill"),
    ("goose poop everywhere, Quarry Lake", "Quarry Lake", "Quarry Lake Park"),
    ("Oak St by the library has no crosswalk", "Oak St by the library", "Oak Street near Alder Falls Public Library"),
    ("by the library on Oak there is glass", "library on Oak", "Oak Street near Alder Falls Public Library"),
]  # fmt: skip

IMPRECISE = [
    ("When will Oak Street be paved?", "Oak Street", "Oak Street"),
    ("#OakStreet is a joke", "#OakStreet", "Oak Street"),
    ("Potholes all over Kennedy Drive", "Kennedy Drive", "Kennedy Drive"),
    ("parked cars on Elm so plow can't get by", "Elm", "Elm Street"),
    ("speeding down Lincoln every night", "Lincoln", "Lincoln Street"),
    ("Lincon Street is dark", "Lincon Street", "Lincoln Street"),
    ("Mapel St has no lights", "Mapel St", "Maple Street"),
    ("WASHINGTON ST NEEDS PLOWING", "WASHINGTON ST", "Washington Street"),
    ("no luz en la calle Hickory", "calle Hickory", "Hickory Street"),
    ("nobody plows 15th st", "15th st", "15th Street"),
    ("trash all along 9th.", "9th", "9th Street"),
    ("en la avenida Roosevelt hay carreras", "avenida Roosevelt", "Roosevelt Avenue"),
    ("Park Avenue is lovely in spring", "Park Avenue", "Park Avenue"),
    ("May Street needs a stop sign", "May Street", "May Street"),
    ("House at 640 Monroe has been empty since spring", "Monroe", "Monroe Street"),
    ("burning smell all over Eastfield, maybe from 5th Street", "5th Street", "5th Street"),
    ("9900 Oak Street", "Oak Street", "Oak Street"),
    ("No water in Eastfield since noon", "Eastfield", "Eastfield"),
    ("Fireworks downtown all night", "downtown", "Downtown"),
    ("power out in Riverbend?", "Riverbend", "Riverbend"),
    ("mucho ruido en el centro", "centro", "Downtown"),
    ("dead fish in the Alder River", "Alder River", "Alder River"),
]

NOT_FOUND = [
    "An oak tree fell on my fence",
    "The main problem is nobody answers the phone",
    "5th time I report this!!",
    "In May we had the same mess",
    "may I ask when the pool opens",
    "where can I park tonight",
    "Park somewhere else, people",
    "our main water line burst",
    "a water main broke on my block",
    "due on May 5th",
    "the meeting on the 5th was useless",
    "el 5 de mayo hay desfile",
    "my 3rd grader waits for the bus in the dark",
    "first of all, thank you",
    "on second thought, never mind",
    "oak and maple trees everywhere",
    "pine needles clog the drain",
    "Lincoln was a great president",
    "Thank you Jackson for fixing my light!",
    "the main street of a small town dies slowly",
    "we have a grant application pending",
    "ash from the fire on my car",
    "2 oak trees leaning",
    "100 main reasons to leave",
    "call 911",
    "$300 water bill??",
    "city hall never listens",
    "does anyone at City Hall read these",
    "the first street light on the left is out",
    "library card renewal?",
    "the hospital bill is insane",
    "since 2024 nothing has been done",
    "pothole on my street",
    "the streetlight on our corner is out",
    "Highway to hell lol",
    "@oakstreet_guy that was you?",
    "see https://example.org/oak-street",
    "",
    "😡😡😡",
    "north south east west",
    "el árbol se cayó en mi calle",
    "the side street by my house is icy",
]


@pytest.mark.parametrize(("text", "words", "address"), FOUND, ids=[text for text, _, _ in FOUND])
def test_a_crew_could_find_it(text: str, words: str, address: str | None, alder_falls: Gazetteer) -> None:
    place = find_place(text, alder_falls)

    assert place is not None
    assert place.text == words
    assert place.text in text
    if address:
        assert place.address == address
    assert place.precise
    assert place.lat is not None
    assert place.long is not None
    assert alder_falls.inside(place.lat, place.long)
    assert place.neighborhood


@pytest.mark.parametrize(("text", "words", "address"), IMPRECISE, ids=[text for text, _, _ in IMPRECISE])
def test_a_whole_street_or_neighborhood_is_not_precise(
    text: str, words: str, address: str, alder_falls: Gazetteer
) -> None:
    place = find_place(text, alder_falls)

    assert place is not None
    assert (place.text, place.address, place.precise, place.lat) == (words, address, False, None)


@pytest.mark.parametrize("text", NOT_FOUND)
def test_ordinary_words_are_no_place(text: str, alder_falls: Gazetteer) -> None:
    assert find_place(text, alder_falls) is None


def test_the_more_specific_place_wins(alder_falls: Gazetteer) -> None:
    text = "Riverbend is a mess: lights out on Oak Street, trash at Lincoln Park, and a hole at 1420 Oak St by 12th."

    place = find_place(text, alder_falls)

    assert place is not None
    assert place.text == "1420 Oak St"


def test_a_street_is_in_the_neighborhood_that_is_named_with_it(alder_falls: Gazetteer) -> None:
    place = find_place("smoke all over Millside, somewhere by Foundry Street", alder_falls)

    assert place is not None
    assert (place.address, place.neighborhood) == ("Foundry Street", "Millside")


def test_the_year_is_no_house_number(alder_falls: Gazetteer) -> None:
    place = find_place("In 2019 Oak Street was repaved", alder_falls)

    assert place is not None
    assert place.address == "Oak Street"


def test_words_after_the_first_two_thousand_characters_are_not_read(alder_falls: Gazetteer) -> None:
    assert find_place("word " * 390 + "5th and Oak", alder_falls) is not None
    assert find_place("word " * 410 + "5th and Oak", alder_falls) is None


def test_links_and_handles_do_not_count(alder_falls: Gazetteer) -> None:
    text = "@somebody_or_other https://example.org/a-rather-long-path-to-a-picture " * 50 + "5th and Oak"

    assert find_place(text, alder_falls) is not None


HOSTILE = {
    "one street again and again": "oak st and " * 9_100,
    "digits": "1" * 100_000,
    "ordinals": "5th " * 25_000,
    "one word": "a" * 100_000,
    "ampersands": "&" * 100_000,
    "betweens": "between oak and elm " * 5_000,
    "blanks": " " * 100_000,
    "combining marks": "e\u0301" * 50_000,
    "hashtags": "#Oak" * 25_000,
    "handles": "@" * 100_000,
    "misspelt": "on mapell st " * 7_700,
    "numbers": "1420 of de la " * 7_000,
    "nulls and halves": "\x00\ud800 5th and Oak " * 6_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_text_takes_bounded_time(text: str, alder_falls: Gazetteer) -> None:
    start = thread_time()

    find_place(text, alder_falls)

    assert thread_time() - start < 10  # 30 ms at most here; the rest is room for a slow machine


@pytest.mark.parametrize(
    ("lat", "long", "address", "area"),
    [
        (44.3072, -90.44623, "Oak Street & 5th Street", "Downtown"),
        (44.3119, -90.44615, "2000 block of Oak Street", "Northgate"),
        (44.31935, -90.48955, "Quarry Lake Park", "Quarry Hill"),
        (44.2915, -90.4035, "", "Southgate"),
        (45.5, -90.45, "", None),
    ],
)
def test_a_geotag_has_an_address(
    lat: float, long: float, address: str, area: str | None, alder_falls: Gazetteer
) -> None:
    place = near(lat, long, alder_falls)

    assert (place.address, place.neighborhood, place.source) == (address, area, "geotag")
    assert (place.lat, place.long) == (lat, long)
