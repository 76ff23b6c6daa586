"""Numbers, digit strings, times and dates as they are spoken and as they are written."""
from vocab import Digits

ONES = "zero one two three four five six seven eight nine".split()
TEENS = ("ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen").split()
TENS = "x x twenty thirty forty fifty sixty seventy eighty ninety".split()
ORDINALS = ("first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
            "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth").split()
TIMES = ["morning", "afternoon", "evening"]
MONTHS = ("January February March April May June July August September October November December").split()


def cardinal(n):
    """0..100 in words."""
    if n < 10:
        return ONES[n]
    if n < 20:
        return TEENS[n - 10]
    if n == 100:
        return "one hundred"
    return TENS[n // 10] + (" " + ONES[n % 10] if n % 10 else "")


def thousands(r):
    """101..9999 as people say it -> ("two thousand four hundred and six", Digits("2406"))"""
    n = r.choice([r.randint(101, 999), r.randint(1, 9) * 100, r.randint(1, 9) * 1000,
                  r.randint(1001, 9999), r.randint(10, 99) * 100])
    if n % 100 == 0 and n % 1000 and n > 1000 and r.random() < 0.5:
        return cardinal(n // 100) + " hundred", Digits(n)
    link = r.choice([" and ", " "])
    parts = [cardinal(n // 1000) + " thousand"] if n >= 1000 else []
    parts += [cardinal(n // 100 % 10) + " hundred"] if n // 100 % 10 else []
    words = " ".join(parts)
    return words + (link + cardinal(n % 100) if n % 100 else ""), Digits(n)


def money(r):
    """-> ("twenty five dollars", "25 dollars")"""
    unit = r.choice(["dollars", "dollars", "pounds", "euros"])
    n = r.choice([r.randint(2, 20), r.randint(2, 99), r.choice([100, 50, 20, 30])])
    if unit == "dollars" and r.random() < 0.25:
        cents = r.choice([50, 25, 75, 10, 99, r.randint(11, 98)])
        return (f"{cardinal(n)} dollars and {cardinal(cents)} cents", f"{n} dollars and {cents} cents")
    return f"{cardinal(n)} {unit}", f"{n} {unit}"


def weight(r):
    """-> ("twelve kilos", "12 kilos")"""
    unit, n = r.choice(["kilos", "kilos", "pounds", "tons"]), r.randint(2, 100)
    return f"{cardinal(n)} {unit}", f"{n} {unit}"


def ordinal(n):
    """1..31 -> ("twenty third", "23rd")"""
    if n <= 20:
        words = ORDINALS[n - 1]
    elif n == 30:
        words = "thirtieth"
    else:
        words = TENS[n // 10] + " " + ORDINALS[n % 10 - 1]
    suffix = "th" if 10 <= n <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return words, f"{n}{suffix}"


def random_digits(r, n):
    """Digits with more repeats (11, 77, 000) than chance gives: those are what gets lost or doubled."""
    out = [r.choice("0123456789")]
    sticky = r.choice([0.0, 0.0, 0.1, 0.35])
    while len(out) < n:
        out.append(out[-1] if r.random() < sticky else r.choice("0123456789"))
    return "".join(out)


def _digit_words(r, text):
    """Spoken words of a digit string, with "oh", "double seven" and "triple zero"."""
    zero = "oh" if r.random() < 0.35 else "zero"
    doubles = r.random() < 0.25
    words, i = [], 0
    while i < len(text):
        run = 1
        while i + run < len(text) and run < 3 and text[i + run] == text[i]:
            run += 1
        name = zero if text[i] == "0" else ONES[int(text[i])]
        if doubles and run > 1:
            words.append(("double " if run == 2 else "triple ") + name)
            i += run
        else:
            words.append(name)
            i += 1
    return words


def _group(r, words):
    """Callers pause between groups; voices pause at commas."""
    size = r.choice([0, 0, 2, 3, 4])
    if not size:
        return " ".join(words)
    return " ".join(w + ("," if (i + 1) % size == 0 and i + 1 < len(words) else "") for i, w in enumerate(words))


def digit_string(r, n):
    """-> (spoken, Digits)"""
    text = random_digits(r, n)
    if n in (4, 6) and r.random() < 0.08 and "0" not in text[::2]:
        pairs = [cardinal(int(text[i:i + 2])) for i in range(0, n, 2)]
        return ", ".join(pairs), Digits(text)
    return _group(r, _digit_words(r, text)), Digits(text)


def clock(r):
    """-> ("half past nine", "half past 9")"""
    hour, kind = r.randint(1, 12), r.random()
    words = cardinal(hour)
    if kind < 0.3:
        return words + " o'clock", f"{hour} o'clock"
    if kind < 0.55:
        minute = r.choice([10, 15, 20, 30, 30, 40, 45, 50])
        return words + " " + cardinal(minute), f"{hour}:{minute}"
    if kind < 0.8:
        half = r.choice(["am", "pm"])
        if r.random() < 0.3:
            minute = r.choice([15, 30, 30, 45])
            return f"{words} {cardinal(minute)} {half[0]} m", f"{hour}:{minute} {half}"
        return words + (" a m" if half == "am" else " p m"), f"{hour} {half}"
    how = r.choice(["half past", "quarter past", "quarter to"])
    return f"{how} {words}", f"{how} {hour}"


def date(r):
    """-> ("March third", "March 3rd")"""
    month = r.choice(MONTHS)
    words, written = ordinal(r.randint(1, 31))
    if r.random() < 0.7:
        return f"{month} {words}", f"{month} {written}"
    return f"the {words} of {month}", f"the {written} of {month}"
