"""The nouns of the built-in English-German grammar, with the forms that cannot be derived.

One a line: English singular, plural; German singular, plural, gender.
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


@dataclass(frozen=True)
class Noun:
    singular: str
    plural: str
    german_singular: str
    german_plural: str
    gender: str  # m, f or n
    person: bool

    def english(self, plural: bool) -> str:
        return self.plural if plural else self.singular

    def german(self, plural: bool, case: str) -> str:
        """Returns the form of a case: n(ominative), a(ccusative) or d(ative), whose plural ends with n or s."""
        if not plural:
            return self.german_singular
        takes_n = case == "d" and not self.german_plural.endswith(("n", "s"))
        return self.german_plural + ("n" if takes_n else "")


def read_nouns(text: str, person: bool) -> tuple[Noun, ...]:
    nouns = []
    for line in text.strip().split("\n"):
        singular, plural, german_singular, german_plural, gender = line.split()
        nouns.append(Noun(singular, plural, german_singular, german_plural, gender, person))
    return tuple(nouns)
