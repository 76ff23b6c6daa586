"""Counts word errors: every digit is a word, case and signs do not count."""
import re


def words(text):
    """'Order 47.' -> ['order', '4', '7']"""
    text = re.sub(r"(\d)", r" \1 ", text.lower())
    return re.sub(r"[^a-z0-9' ]", " ", text).split()


def digits(text):
    """Only the digits of a text, joined."""
    return "".join(re.findall(r"\d", text))


def align(expected, got):
    """-> (errors, for each word of `got` whether it is right), by the least edits."""
    table = [list(range(len(got) + 1))]
    for i, a in enumerate(expected, 1):
        row = [i]
        for j, b in enumerate(got, 1):
            row.append(min(table[-1][j] + 1, row[-1] + 1, table[-1][j - 1] + (a != b)))
        table.append(row)
    right, i, j = [False] * len(got), len(expected), len(got)
    while i and j:
        if table[i][j] == table[i - 1][j - 1] + (expected[i - 1] != got[j - 1]):
            right[j - 1] = expected[i - 1] == got[j - 1]
            i, j = i - 1, j - 1
        elif table[i][j] == table[i - 1][j] + 1:
            i -= 1
        else:
            j -= 1
    return table[-1][-1], right
