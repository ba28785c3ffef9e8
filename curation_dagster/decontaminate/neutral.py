"""Texts that hold no benchmark item: what probes are planted in, and what must come through as clean.

Written for this purpose. They are about what benchmarks are about too (prices, hours, functions, sums), so that a step
that takes anything for a hit takes these.
"""

from __future__ import annotations

from typing import Final

NEUTRAL: Final = (
    """The ferry to the outer islands runs twice a week in winter, on Monday and on Thursday. In summer there are
three boats a day and the price falls by half. Whoever wants to bring a bicycle has to say so the evening before,
because the deck is small. The crossing takes two hours when the sea is calm.
Most visitors stay in the village near the pier. There is one shop, which sells bread, fruit and postcards, and a
kitchen that cooks for the whole island. How many guests it can feed depends on what the boats bring in.""",
    """Minutes of the garden committee. Eleven members were present, four had sent their regrets. The total in the
cash box was counted and found correct. It was agreed to spend a third of it on seed and to keep the rest for the
new fence. Each member will give five hours of work before the end of May. The second point was the hose: it leaks,
and nobody knows who lent it out. A list was passed around. The next meeting is in six weeks, at the same time, in
the same room, and the question of the apple trees will be the first one then.""",
    """def merged(first, second):
    # keeps the order of both lists; equal values come from the first one
    result = []
    while first and second:
        result.append(first.pop(0) if first[0] <= second[0] else second.pop(0))
    return result + first + second


class Shelf:
    def __init__(self, width, height):
        self.width, self.height = width, height
        self.books = {}

    def put(self, title, number):
        if number < 0:
            raise ValueError("a number of books is not negative")
        self.books[title] = self.books.get(title, 0) + number
        return sum(self.books.values())""",
    """Let a sequence of numbers be given and let s be the sum of its first n terms. If every term is at most half of
the one before it, then s is at most twice the first term, whatever n is. To see this, write each term as a product
and compare with the geometric series. The same argument works for functions: find a bound for the value at one point,
then show that the next value is smaller. Equality holds in no case but the trivial one, x = 0. As an exercise,
replace one half by any number between 0 and 1 and say what becomes of the bound.""",
    """Thank you for choosing this kettle. Fill it with clean water up to the mark, never above, and close the lid.
Press the switch once; the lamp lights up and goes out when the water boils. Do not open the lid while it is hot. If
the kettle makes a loud noise, there is lime in it: boil it with a spoon of vinegar, wait an hour and rinse it three
times. What should not be done is to put the base into water. The maker answers for faults of material for two years
from the day of sale, not for those of use.""",
    """My dear Ida, the week was long and the students were tired, and so was their teacher. On Wednesday we read
aloud, on Friday we went out to draw the old bridge. One of the boys asked why it has four arches and not five, and
nobody could give him an answer that he liked. I have ten drawings on the wall now, and each shows another number of
arches. Write me what the doctor said, and whether your mother can walk to the market again. It rains. The best is
the evening, when the house is quiet and the lamp is on.""",
    """Which of these is the better way to clean a window: newspaper, a cloth, or a rubber blade? The answer depends
on the glass. For small panes a cloth is enough; for a large one the blade is faster and leaves fewer lines. Warm
water with a little soap does for both. Start at the top, because the water runs down, and dry the edge at the end.
People who earn their money with it charge by the hour, not by the window, and they bring a ladder. A clear day is
the wrong day: the sun dries the soap before it is wiped off.""",
    """SELECT town, COUNT(*) AS houses, SUM(rooms) AS rooms
FROM streets JOIN buildings ON buildings.street = streets.id
WHERE built < 1900 AND height IS NOT NULL
GROUP BY town
HAVING COUNT(*) > 10
ORDER BY houses DESC;

-- returns one row a town; a town without old houses has none
-- the function below gives the same as a list of pairs
CREATE FUNCTION old_houses(year INTEGER) RETURNS TABLE (town TEXT, houses INTEGER);""",
    """The baker bought forty sacks of flour in autumn and had used a quarter of them by the new year. He sold the
loaves for two coins each, the small ones for one, and gave away what was left in the evening. In a good week he
earned enough to pay the miller and both of his helpers; in a bad one he wrote the sum on the wall, with chalk, and
rubbed it out when he had paid. There was no mark on the wall on the day he retired. His daughter has the shop now
and keeps her accounts in a book.""",
    """Cells of the outer layer of a leaf hold no green and let the light through. Below them lie longer cells, in
one or two rows, in which most of the sugar is made. Air comes in through openings on the lower side, which close at
noon when it is dry. What the plant does not need at once it stores as starch, and moves it at night. The older a
leaf, the less of this work it does; in the end its nitrogen is taken back, it changes colour and it falls.
Scientists measure all this with a small glass chamber.""",
    """Nach dem Frühstück gingen wir zum Hafen hinunter. Zwei Männer flickten ein Netz und stritten darüber, wie viele
Tage der Wind noch aus dem Norden kommen würde. Der eine sagte drei, der andere gab keine Antwort. Auf dem Markt war
alles teurer als in der Woche davor, nur die Äpfel nicht. Am Abend schrieb ich auf, was der Tag gekostet hatte, und
war überrascht, wie wenig es war.""",
    """周末我们去了郊外的果园。路上花了一个小时，天气很好。果园的主人说，今年的苹果比去年多，价格也便宜一些。
孩子们每人拿了一个篮子，比赛谁摘得快。中午我们坐在树下吃面包，听老人讲以前的故事。回家的时候，车里都是苹果的香味。""",
)
