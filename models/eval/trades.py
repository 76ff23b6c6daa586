"""Sentences of other trades, to be refused. None of them, and no sentence like them, is in the training."""

SENTENCES = """My tooth has been hurting since last night.|Could you trim the sides a little shorter?|The soup needs more pepper and less garlic.
We planted tulips along the fence in autumn.|His violin lesson was moved to the church hall.|The referee sent two players off the pitch.
I left my umbrella in the back of the theatre.|She painted the ceiling of the nursery yellow.|The vet says our rabbit must lose some weight.
There was a thunderstorm over the lake.|Grandfather used to keep bees behind the barn.|The choir sings in Latin during the mass.
They raised the interest rate by half a percent.|Fold the napkins into triangles before supper.|My knee still swells when I go jogging.
The lighthouse was built by fishermen.|Her thesis is about medieval bridges.|You should oil the hinges of that gate.
The kettle whistles before the water boils.|We rented a canoe and paddled upstream.|The orchestra tuned their instruments for ages.
A fox stole three of our hens.|I am allergic to peanuts and shellfish.|The pilot apologised for the turbulence.
Knead the dough until it feels elastic.|The judge dismissed the jury before lunch.|Our daughter collects stamps and seashells.
It rained frogs in the old legend.|The dentist recommended softer brushes.|He carved a chess set out of walnut.
The professor explained gravity with an orange.|Please water the ferns on the balcony.|Snow covered the vineyard in April.
The mayor opened the new swimming pool.|Which planet has the brightest rings?|Sharpen the knives and peel the turnips.
Our tent leaked during the festival.|The goalkeeper broke his thumb.|She knitted mittens for the whole choir.
I would love to visit the pyramids.|The battery of my camera is empty again.|Do these trousers come in a darker shade?
The elephants crossed the river at dawn.|He plays the trumpet in a jazz band.|A comet was seen over the desert.
The novel begins with a shipwreck.|Mix the flour with two spoons of yeast.|I dreamt about a castle made of glass.
The nurse changed the bandage twice.|Their cottage has a thatched roof.|We missed the fireworks because of the fog.
The actor forgot his lines on stage.|My cousin breeds racing pigeons.|The thermostat in the bedroom is broken.
She won a medal for pole vaulting.|Squeeze a lemon over the salmon.|The museum bought a painting of sunflowers.
Crocodiles can hold their breath for hours.|The carpenter sanded the banister.|How deep is the Pacific Ocean?""".replace("\n", "|").split("|")
