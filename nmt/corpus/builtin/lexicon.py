"""The words of the built-in English-German grammar: a few hundred entries with the forms that cannot be derived.

One entry a line. Nouns: English singular, plural; German singular, plural, gender. Verbs: English base, past,
participle; German infinitive, third person, past, participle; a ``+`` after the separable prefix of the infinitive,
a ``*`` before a participle that takes *sein*.
"""

from __future__ import annotations

from dataclasses import dataclass

PEOPLE = """
man men Mann Männer m
woman women Frau Frauen f
child children Kind Kinder n
teacher teachers Lehrer Lehrer m
doctor doctors Arzt Ärzte m
friend friends Freund Freunde m
neighbour neighbours Nachbarin Nachbarinnen f
sister sisters Schwester Schwestern f
brother brothers Bruder Brüder m
mother mothers Mutter Mütter f
father fathers Vater Väter m
daughter daughters Tochter Töchter f
son sons Sohn Söhne m
girl girls Mädchen Mädchen n
baker bakers Bäcker Bäcker m
farmer farmers Bäuerin Bäuerinnen f
singer singers Sängerin Sängerinnen f
painter painters Maler Maler m
driver drivers Fahrer Fahrer m
judge judges Richterin Richterinnen f
king kings König Könige m
queen queens Königin Königinnen f
guest guests Gast Gäste m
cook cooks Köchin Köchinnen f
uncle uncles Onkel Onkel m
aunt aunts Tante Tanten f
captain captains Kapitän Kapitäne m
writer writers Schriftstellerin Schriftstellerinnen f
engineer engineers Ingenieur Ingenieure m
baby babies Baby Babys n
nurse nurses Krankenschwester Krankenschwestern f
thief thieves Dieb Diebe m
"""

ANIMALS = """
dog dogs Hund Hunde m
cat cats Katze Katzen f
horse horses Pferd Pferde n
bird birds Vogel Vögel m
cow cows Kuh Kühe f
pig pigs Schwein Schweine n
sheep sheep Schaf Schafe n
mouse mice Maus Mäuse f
fish fish Fisch Fische m
fox foxes Fuchs Füchse m
wolf wolves Wolf Wölfe m
duck ducks Ente Enten f
goat goats Ziege Ziegen f
bee bees Biene Bienen f
rabbit rabbits Kaninchen Kaninchen n
donkey donkeys Esel Esel m
"""

THINGS = """
book books Buch Bücher n
letter letters Brief Briefe m
door doors Tür Türen f
window windows Fenster Fenster n
table tables Tisch Tische m
chair chairs Stuhl Stühle m
lamp lamps Lampe Lampen f
cup cups Tasse Tassen f
bottle bottles Flasche Flaschen f
knife knives Messer Messer n
apple apples Apfel Äpfel m
cake cakes Kuchen Kuchen m
flower flowers Blume Blumen f
tree trees Baum Bäume m
picture pictures Bild Bilder n
key keys Schlüssel Schlüssel m
bag bags Tasche Taschen f
box boxes Kiste Kisten f
coat coats Mantel Mäntel m
shirt shirts Hemd Hemden n
shoe shoes Schuh Schuhe m
hat hats Hut Hüte m
ring rings Ring Ringe m
clock clocks Uhr Uhren f
bicycle bicycles Fahrrad Fahrräder n
car cars Auto Autos n
ship ships Schiff Schiffe n
newspaper newspapers Zeitung Zeitungen f
song songs Lied Lieder n
story stories Geschichte Geschichten f
question questions Frage Fragen f
answer answers Antwort Antworten f
plan plans Plan Pläne m
gift gifts Geschenk Geschenke n
coin coins Münze Münzen f
map maps Karte Karten f
machine machines Maschine Maschinen f
egg eggs Ei Eier n
stone stones Stein Steine m
ball balls Ball Bälle m
"""

PLACES = """
garden gardens Garten Gärten m
house houses Haus Häuser n
kitchen kitchens Küche Küchen f
school schools Schule Schulen f
church churches Kirche Kirchen f
forest forests Wald Wälder m
city cities Stadt Städte f
village villages Dorf Dörfer n
bridge bridges Brücke Brücken f
street streets Straße Straßen f
market markets Markt Märkte m
station stations Bahnhof Bahnhöfe m
shop shops Laden Läden m
castle castles Schloss Schlösser n
river rivers Fluss Flüsse m
room rooms Zimmer Zimmer n
tower towers Turm Türme m
island islands Insel Inseln f
field fields Feld Felder n
library libraries Bibliothek Bibliotheken f
hotel hotels Hotel Hotels n
museum museums Museum Museen n
office offices Büro Büros n
hospital hospitals Krankenhaus Krankenhäuser n
"""

TRANSITIVE = """
see saw seen sehen sieht sah gesehen
find found found finden findet fand gefunden
love loved loved lieben liebt liebte geliebt
buy bought bought kaufen kauft kaufte gekauft
sell sold sold verkaufen verkauft verkaufte verkauft
hear heard heard hören hört hörte gehört
know knew known kennen kennt kannte gekannt
seek sought sought suchen sucht suchte gesucht
carry carried carried tragen trägt trug getragen
paint painted painted malen malt malte gemalt
forget forgot forgotten vergessen vergisst vergaß vergessen
lose lost lost verlieren verliert verlor verloren
need needed needed brauchen braucht brauchte gebraucht
take took taken nehmen nimmt nahm genommen
hold held held halten hält hielt gehalten
draw drew drawn zeichnen zeichnet zeichnete gezeichnet
hate hated hated hassen hasst hasste gehasst
protect protected protected schützen schützt schützte geschützt
check checked checked prüfen prüft prüfte geprüft
open opened opened auf+machen macht machte gemacht
close closed closed zu+machen macht machte gemacht
bring brought brought mit+bringen bringt brachte gebracht
pick picked picked aus+wählen wählt wählte gewählt
invite invited invited ein+laden lädt lud geladen
watch watched watched an+sehen sieht sah gesehen
call called called an+rufen ruft rief gerufen
throw threw thrown weg+werfen wirft warf geworfen
fetch fetched fetched ab+holen holt holte geholt
introduce introduced introduced vor+stellen stellt stellte gestellt
admire admired admired bewundern bewundert bewunderte bewundert
hide hid hidden verstecken versteckt versteckte versteckt
describe described described beschreiben beschreibt beschrieb beschrieben
visit visited visited besuchen besucht besuchte besucht
"""

DATIVE = """
help helped helped helfen hilft half geholfen
thank thanked thanked danken dankt dankte gedankt
follow followed followed folgen folgt folgte *gefolgt
answer answered answered antworten antwortet antwortete geantwortet
trust trusted trusted vertrauen vertraut vertraute vertraut
forgive forgave forgiven verzeihen verzeiht verzieh verziehen
applaud applauded applauded zu+jubeln jubelt jubelte gejubelt
"""

DITRANSITIVE = """
give gave given geben gibt gab gegeben
show showed shown zeigen zeigt zeigte gezeigt
send sent sent schicken schickt schickte geschickt
lend lent lent leihen leiht lieh geliehen
offer offered offered an+bieten bietet bot geboten
return returned returned zurück+geben gibt gab gegeben
promise promised promised versprechen verspricht versprach versprochen
"""

INTRANSITIVE = """
sleep slept slept schlafen schläft schlief geschlafen
laugh laughed laughed lachen lacht lachte gelacht
sing sang sung singen singt sang gesungen
dance danced danced tanzen tanzt tanzte getanzt
work worked worked arbeiten arbeitet arbeitete gearbeitet
wait waited waited warten wartet wartete gewartet
come came come kommen kommt kam *gekommen
run ran run laufen läuft lief *gelaufen
swim swam swum schwimmen schwimmt schwamm *geschwommen
cry cried cried weinen weint weinte geweint
play played played spielen spielt spielte gespielt
smile smiled smiled lächeln lächelt lächelte gelächelt
arrive arrived arrived an+kommen kommt kam *gekommen
leave left left weg+gehen geht ging *gegangen
listen listened listened zu+hören hört hörte gehört
rest rested rested aus+ruhen ruht ruhte geruht
disappear disappeared disappeared verschwinden verschwindet verschwand *verschwunden
sneeze sneezed sneezed niesen niest nieste geniest
"""

REPORTING = """
say said said sagen sagt sagte gesagt
believe believed believed glauben glaubt glaubte geglaubt
hope hoped hoped hoffen hofft hoffte gehofft
think thought thought denken denkt dachte gedacht
explain explained explained erklären erklärt erklärte erklärt
notice noticed noticed bemerken bemerkt bemerkte bemerkt
fear feared feared fürchten fürchtet fürchtete gefürchtet
claim claimed claimed behaupten behauptet behauptete behauptet
write wrote written schreiben schreibt schrieb geschrieben
dream dreamed dreamed träumen träumt träumte geträumt
"""

ADJECTIVES = dict(
    line.split()
    for line in [
        "",
        "old alt",
        "young jung",
        "small klein",
        "big groß",
        "red rot",
        "green grün",
        "blue blau",
        "white weiß",
        "black schwarz",
        "new neu",
        "good gut",
        "bad schlecht",
        "beautiful schön",
        "ugly hässlich",
        "happy glücklich",
        "sad traurig",
        "hungry hungrig",
        "quiet still",
        "loud laut",
        "rich reich",
        "poor arm",
        "strong stark",
        "weak schwach",
        "clever klug",
        "stupid dumm",
        "friendly freundlich",
        "strange seltsam",
        "famous berühmt",
        "dangerous gefährlich",
        "heavy schwer",
        "light leicht",
        "clean sauber",
        "dirty schmutzig",
        "warm warm",
        "cold kalt",
        "round rund",
        "long lang",
        "short kurz",
        "fast schnell",
        "slow langsam",
        "yellow gelb",
        "brave mutig",
        "lazy faul",
        "honest ehrlich",
        "important wichtig",
        "broken kaputt",
        "",
    ]
    if line
)

ADVERBS = dict(
    line.split()
    for line in [
        "",
        "today heute",
        "often oft",
        "sometimes manchmal",
        "always immer",
        "now jetzt",
        "then dann",
        "here hier",
        "there dort",
        "finally endlich",
        "perhaps vielleicht",
        "secretly heimlich",
        "slowly langsam",
        "quickly schnell",
        "gladly gern",
        "rarely selten",
        "together zusammen",
        "again wieder",
        "suddenly plötzlich",
        "already schon",
        "immediately sofort",
        "",
    ]
    if line
)

# English words, German word, case of what follows: d(ative) or a(ccusative).
PLACE_PREPOSITIONS = (
    ("in", "in", "d"),
    ("behind", "hinter", "d"),
    ("near", "bei", "d"),
    ("under", "unter", "d"),
    ("in front of", "vor", "d"),
    ("next to", "neben", "d"),
    ("through", "durch", "a"),
    ("around", "um", "a"),
)
PERSON_PREPOSITIONS = (("with", "mit", "d"), ("for", "für", "a"), ("without", "ohne", "a"), ("from", "von", "d"))

SUBORDINATORS = (
    ("because", "weil"),
    ("when", "wenn"),
    ("although", "obwohl"),
    ("while", "während"),
    ("before", "bevor"),
    ("after", "nachdem"),
    ("until", "bis"),
    ("as soon as", "sobald"),
)
COORDINATORS = (("and", "und"), ("but", "aber"), ("or", "oder"))

# English modal; German third person singular and plural.
MODALS = (
    ("can", "kann", "können"),
    ("must", "muss", "müssen"),
    ("should", "soll", "sollen"),
    ("may", "darf", "dürfen"),
    ("will", "wird", "werden"),
)


@dataclass(frozen=True)
class Noun:
    singular: str
    plural: str
    german_singular: str
    german_plural: str
    gender: str  # m, f or n
    person: bool


@dataclass(frozen=True)
class Verb:
    base: str
    past: str
    participle: str
    prefix: str  # separable, "" if none
    infinitive: str  # without the prefix
    third: str
    german_past: str
    german_participle: str
    takes_sein: bool
    object_case: str  # a or d


def read_nouns(text: str, person: bool) -> tuple[Noun, ...]:
    nouns = []
    for line in text.strip().split("\n"):
        singular, plural, german_singular, german_plural, gender = line.split()
        nouns.append(Noun(singular, plural, german_singular, german_plural, gender, person))
    return tuple(nouns)


def read_verbs(text: str, object_case: str = "a") -> tuple[Verb, ...]:
    verbs = []
    for line in text.strip().split("\n"):
        base, past, participle, infinitive, third, german_past, german_participle = line.split()
        prefix, _, stem = infinitive.rpartition("+")
        verbs.append(
            Verb(
                base=base,
                past=past,
                participle=participle,
                prefix=prefix,
                infinitive=stem,
                third=third,
                german_past=german_past,
                german_participle=prefix + german_participle.lstrip("*"),
                takes_sein=german_participle.startswith("*"),
                object_case=object_case,
            )
        )
    return tuple(verbs)


def third_person(base: str) -> str:
    """English third person singular present: carry → carries, watch → watches."""
    if base.endswith("y") and base[-2] not in "aeou":
        return base[:-1] + "ies"
    return base + ("es" if base.endswith(("s", "sh", "ch", "x", "o")) else "s")
