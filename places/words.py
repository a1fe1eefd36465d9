"""How residents write places, English and Spanish: words, and what they stand for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

#: Characters of a text that are looked at, links and handles not counted.
CLEAN_LENGTH = 2_000
#: Characters of a text that are read in search of those.
_READ_LENGTH = 20_000


def _words(*lists: str) -> frozenset[str]:
    return frozenset(word for words in lists for word in words.split())


SUFFIXES = {
    short: full
    for full, shorts in {
        "street": "street st str",
        "avenue": "avenue ave av aven",
        "boulevard": "boulevard blvd boul",
        "road": "road rd",
        "drive": "drive dr",
        "lane": "lane ln",
        "court": "court ct",
        "place": "place pl",
        "parkway": "parkway pkwy pky",
        "highway": "highway hwy",
        "way": "way wy",
        "circle": "circle cir",
        "terrace": "terrace ter",
        "trail": "trail trl",
        "alley": "alley aly",
    }.items()
    for short in shorts.split()
}
#: Spanish puts the kind of street first.
PREFIXES = {
    "calle": "street",
    "cll": "street",
    "avenida": "avenue",
    "avda": "avenue",
    "av": "avenue",
    "ave": "avenue",
    "bulevar": "boulevard",
    "carretera": "highway",
}
DIRECTIONS = {
    short: full[0] if full in ("north", "south", "east", "west") else short
    for full in ("north", "south", "east", "west", "ne", "nw", "se", "sw")
    for short in (full, full[0] if len(full) > 2 else full)
}
_SHORT = {"hwy": "highway", "rd": "road", "co": "county", "rte": "route", "rt": "route", "saint": "st", "mt": "mount"}

_ENGLISH = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth"
)
_SPANISH = "primera segunda tercera cuarta quinta sexta septima octava novena decima undecima duodecima"


def ordinal(number: int) -> str:
    """``5`` as ``5th``."""
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


ORDINAL_WORDS = {
    **{word: ordinal(number) for number, word in enumerate(_ENGLISH.split(), 1)},
    **{word: ordinal(number) for number, word in enumerate(_SPANISH.split(), 1)},
    **{word[:-1] + "o": ordinal(number) for number, word in enumerate(_SPANISH.split(), 1) if number > 4},
}

#: What may stand between two streets that meet.
JOINS = _words(
    "and & &amp; / @ + at y e con x n near by off just past right corner of the with where it they meets meet crosses "
    "cross hits intersection esquina la calle de en a cerca before after close to around intersects del casi esq "
    "junto frente"
)
#: Marks that residents put between two streets and hardly anywhere else.
CROSS_MARKS = _words("& &amp; / @ + x esquina esq")
CORNER = _words("corner intersection esquina cruce crossing interseccion esq")
BETWEEN = _words("between entre from btw btwn bet desde betwn")
AND = _words("and & &amp; y to hasta a / e thru through")
#: After these a bare name is a street.
ON = _words("on along down up off at near across onto via en por sobre hacia corner esquina")
#: After these "the library" is a place rather than a subject.
BY = _words(
    "by at near behind outside inside beside opposite past around under on in next front across beneath above "
    "cerca detras frente junto lado en afuera adentro dentro atras debajo enfrente @ close"
)
ARTICLES = _words("the a our my that this of to from old new el la los las del al de un una lo mi nuestra")
MONTHS = _words(
    "january february march april may june july august september october november december jan feb mar apr jun jul aug "
    "sept sep oct nov dec enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre de"
)
#: Ordinary words that are street names only with their suffix, or when they cross a street beyond doubt.
NEEDS_SUFFIX = MONTHS | _words(
    "park mill airport university industrial falls depot quarry orchard harvest meadow sunset center church school "
    "river hill lake college state county high long will hope division broad market union front water bridge court "
    "spring summer winter fall view green north south east west city principal county old new grand king queen"
)
#: Ordinary words: in lower case and without a suffix they need a word after them that ends the name.
ORDINARY = _words(
    "main oak elm maple pine cedar birch walnut chestnut hickory linden ash willow spruce poplar locust cherry grant "
    "clover lincoln jackson foundry cannery tannery prairie"
)
#: After these a name is no street: "oak tree", "main problem", "5th time", "Lincoln statue".
NOT_A_STREET = _words(
    "tree trees wood woods leaf leaves leave log logs branch branches stump stumps problem problems reason reasons "
    "issue issues thing things concern concerns point line lines break breaks entrance floor floors question idea goal "
    "focus event gate door office menu dish character building campus pipe valve sewer time times grade grader "
    "graders day month year week night one try attempt anniversary birthday inning consecutive straight ward district "
    "amendment period largest biggest call request complaint report ticket of avenue's place thought half person time "
    "vez veces grado dia piso hijo semana mes ano arbol arboles problema money application applications program "
    "school elementary middle high statue memorial administration borers borer beetle syrup nut nuts kitchen cabinets "
    "table floors furniture needles cone cones season cycle generation offense violation half notice email row "
    "graduation class classes"
)
#: Words after which a name has ended.
ENDERS = _words(
    "a about after again all also and any are around as ask at because been before behind between but by can cannot "
    "could did do does every ever for from gets has hasn't have how i i'm if in is isn't it it's its just like looks "
    "me my near needs next no not now off on or our out over please pls plz past since so still than that the their "
    "there this to today tonight toward towards under until up via was we went what when where which while who why "
    "will with would you your yesterday x y e o de del en la el con que por para esta hay es desde hasta cerca entre "
    "frente sigue no ya cada un una los las tiene & &amp; / @ + need right"
)
#: A landmark all of whose words are of this kind is a place only after a word like "by".
GENERIC = _words(
    "city hall library hospital school high middle elementary post office bus station transit center centre fire "
    "police department building water plant treatment recycling transfer dump animal shelter senior health clinic "
    "community college airport municipal pool swimming public rec recreation courthouse county river mall depot train "
    "cemetery farmers market fairgrounds dog park soccer fields flour mill old overlook main central branch emergency "
    "room town square biblioteca ayuntamiento alcaldia preparatoria correo oficina de correos estacion autobuses "
    "perrera clinica aeropuerto alberca mercado rio mirador parque perros escuela 1 2 3 4 5 6 7 8 9"
)

_TOKEN = re.compile(
    r"(?P<skip>https?://\S+|www\.\S+|@(?!\d)\w+)|#\w+|&amp;|[&/@+$]|\d+(?:st|nd|rd|th|ª|º|ta|to|ra|va|ma|na|da)?(?!\w)"
    r"|\w+(?:['’]\w+)*",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"(\d{1,3})(?:st|nd|rd|th|ª|º|ta|to|ra|va|ma|na|da)")


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a post, and where it stands there."""

    raw: str
    plain: str  #: lower case, without accents and a possessive 's
    key: str  #: as street names are kept: ``fifth``, ``5TH`` and ``quinta`` are ``5th``
    start: int
    end: int
    gap: str  #: what stands between this and the next token

    @property
    def capital(self) -> bool:
        return self.raw[:1].isupper() or self.raw[:1].isdigit()

    @property
    def ends_clause(self) -> bool:
        """Whether a new clause begins after this word; the dot of ``St.`` does not end one."""
        if self.plain in SUFFIXES or self.plain in DIRECTIONS:
            return bool(_CLAUSE.search(self.gap.replace(".", "", 1)))
        return bool(_CLAUSE.search(self.gap))

    @property
    def ends_sentence(self) -> bool:
        gap = self.gap
        if self.plain in SUFFIXES or self.plain in DIRECTIONS:
            gap = gap.replace(".", "", 1)
        return bool(_SENTENCE.search(gap))


_CLAUSE = re.compile(r"[^\s'’‘\"“”]")
_SENTENCE = re.compile(r"[.!?;\n]")


def plain(word: str) -> str:
    """The word in lower case, without accents and a possessive 's."""
    folded = unicodedata.normalize("NFKD", word).casefold().replace("’", "'")
    bare = "".join(char for char in folded if not unicodedata.combining(char))
    return bare.removesuffix("'s").replace("'", "") or bare


def key_of(bare: str) -> str:
    """The word, made plain, as street and landmark names are kept."""
    if bare in ORDINAL_WORDS:
        return ORDINAL_WORDS[bare]
    if match := _NUMBERED.fullmatch(bare):
        return ordinal(int(match[1]))
    return _SHORT.get(bare, bare)


def tokens(text: str) -> list[Token]:
    """The words of the first ``CLEAN_LENGTH`` characters, links and handles left out.

    Source: a bound of ours, about seven posts on X; what residents write of places stands early.
    """
    matches = list(_taken(text[:_READ_LENGTH]))
    found = []
    for position, match in enumerate(matches):
        raw = match[0]
        bare = plain(raw)
        following = matches[position + 1].start() if position + 1 < len(matches) else min(len(text), _READ_LENGTH)
        gap = text[match.end() : min(following, match.end() + 20)]
        found.append(Token(raw=raw, plain=bare, key=key_of(bare), start=match.start(), end=match.end(), gap=gap))
    return found


def _taken(text: str) -> Iterator[re.Match[str]]:
    room = CLEAN_LENGTH
    for match in _TOKEN.finditer(text):
        if match["skip"]:
            continue
        room -= len(match[0]) + 1
        if room < 0:
            return
        yield match


def words_of(name: str) -> list[str]:
    """A name of the gazetteer, in the keys that ``tokens`` gives for a post's words."""
    return [token.key for token in tokens(name)]
