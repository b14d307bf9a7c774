"""The verbs of the built-in English-German grammar, with the forms that cannot be derived.

One a line: English base, past, participle; German infinitive, third person, past, participle; a ``+`` after the
separable prefix of the infinitive, a ``*`` before a participle that takes *sein*.
"""

from __future__ import annotations

from dataclasses import dataclass

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

    def english_finite(self, is_past: bool, plural: bool) -> str:
        if is_past:
            return self.past
        return self.base if plural else third_person(self.base)

    def german_finite(self, is_past: bool, plural: bool) -> str:
        """Returns the third person, without the separable prefix."""
        if not is_past:
            return self.infinitive if plural else self.third
        if not plural:
            return self.german_past
        ending = "n" if self.german_past.endswith("e") else "en"
        return self.german_past + ending


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
    """Returns the English third person singular present: carry → carries, watch → watches."""
    if base.endswith("y") and base[-2] not in "aeou":
        return base[:-1] + "ies"
    return base + ("es" if base.endswith(("s", "sh", "ch", "x", "o")) else "s")
