"""Letters and the NATO alphabet, as they are spoken and as they are written.

Voices read a lone "A" as an article, so letters are given to them by their names.
"""
LETTERS = dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", (
    "ay bee see dee ee eff gee aitch eye jay kay ell em en oh pee cue are ess tee you vee double_you ex why zee").split()))
NATO = ("Alpha Bravo Charlie Delta Echo Foxtrot Golf Hotel India Juliet Kilo Lima Mike November Oscar Papa "
        "Quebec Romeo Sierra Tango Uniform Victor Whiskey X-ray Yankee Zulu").split()


def letter(r, name):
    """Spoken name of a letter; the British have a zed."""
    return "zed" if name == "Z" and r.random() < 0.5 else LETTERS[name].replace("_", " ")


def _pick(r, count):
    return [r.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(count)]


def spelled(r):
    """-> ("bee, ay, see", "B A C")"""
    names = _pick(r, r.choice([1, 2, 2, 3, 3, 3, 4, 4, 5, 6]))
    joint = r.choice([", ", ", ", " "])
    return joint.join(letter(r, n) for n in names), " ".join(names)


def nato(r):
    """-> ("bravo alpha", "Bravo Alpha")"""
    words = [r.choice(NATO) for _ in range(r.choice([1, 1, 2, 2, 3, 3, 4]))]
    written = " ".join(words)
    return r.choice([" ", ", "]).join(w.replace("-", " ") for w in words), written


def as_in(r):
    """-> ("bee as in Bravo", "B as in Bravo")"""
    word = r.choice(NATO)
    link = r.choice(["as in", "for", "like"])
    return f"{letter(r, word[0])} {link} {word.replace('-', ' ')}", f"{word[0]} {link} {word}"


def prefix(r):
    """Two letters before a number, none of which is a digit's name too."""
    names = [r.choice("ABCDEFGHJKLMNPQRSTVWXYZ") for _ in range(r.choice([1, 2, 2, 3]))]
    return ", ".join(letter(r, n) for n in names) + ", ", " ".join(names) + " "
