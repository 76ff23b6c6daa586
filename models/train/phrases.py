"""The sentences of the desk, and speech that does not belong to it."""

DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
NAMES = ("Anna David Maria Peter Sarah James Laura Thomas Julia Michael Emma Robert Linda Daniel Susan "
         "Martin Karen Oliver Nina Paul John Mary Lucy Mark Helen George Alex Alice Andrew Barbara Ben Brian "
         "Charles Chris Claire Diana Edward Elena Emily Eric Frank Grace Hannah Henry Ivan Jack Jane Jennifer "
         "Kate Kevin Lisa Louis Matthew Nancy Nicole Olga Patrick Richard Ryan Sam Simon Sophie Steven Victor William").split()
SURNAMES = ("Smith Johnson Brown Taylor Miller Wilson Davis Clark Lewis Walker Hall Young King Wright Green Baker "
            "Adams Nelson Carter Mitchell Roberts Turner Phillips Campbell Parker Evans Collins Stewart Morris "
            "Cook Rogers Cooper Reed Bailey Bell Murphy Kelly Howard Ward Cox Peterson Gray Watson Brooks Bennett "
            "Wood Ross Henderson Jenkins Perry Long Hughes Price Myers Ford Hamilton Graham Sullivan Wallace West").split()
DEPARTMENTS = ["sales", "support", "billing", "accounting", "dispatch", "returns", "customs", "claims", "the warehouse", "reception"]
THINGS = "package parcel order delivery shipment invoice pallet container letter pickup".split()
PERSONS = ["a person", "a human", "someone", "an agent", "a representative", "an operator", "a manager",
           "a real person", "somebody", "customer service"]

PLAIN = """Yes.|Yes.|Yes.|Yes.|No.|No.|No.|No.|Yes, please.|Yes, please.|No, thank you.|No, thank you.|No, thanks.
Yeah.|Yeah.|Yep.|Yep.|Nope.|Nope.|Okay.|Okay.|Correct.|Correct.|That's right.|That is right.|That's correct.|That is correct.
Yes, that's right.|Yes, that is correct.|Yes, correct.|No, that's wrong.|No, that is wrong.|That's wrong.|No, that's not right.
Sure.|Right.|Exactly.|All right.|Yes, it is.|No, it isn't.|I don't know.|I'm not sure.|Maybe.|Fine.|Wrong.|That's fine.
Hello.|Hello?|Hi.|Good morning.|Good afternoon.|Good evening.|Hi, good morning.|Hello, can you hear me?
Thank you.|Thank you.|Thank you very much.|Thanks.|Thanks a lot.|Goodbye.|Goodbye.|Bye.|Bye bye.|Thank you, goodbye.|Thank you, goodbye.
Thanks, bye.|Okay, thank you, bye.|Have a nice day.|No, that's all.|No, that is all.|That's all, thank you.|That is all, thank you.
That's all.|That's everything.|Nothing else.|No, that's all, thank you.|That will be all.
Please hold.|One moment, please.|Wait a moment.|Hold on.|Just a second.|Can you hear me?|Are you there?
Can you repeat that, please?|Please repeat.|Repeat that, please.|Repeat that, please.|Could you repeat that?|Repeat.|Say that again, please.|Say that again.
I didn't understand.|I did not understand.|Sorry?|Pardon?|What?|What did you say?|Speak slower, please.
Help.|Help.|I need help.|Can you help me?|What can you do?|What can you do?|What can I say?|Who are you?|Are you a robot?
Speak to a person.|I want to speak to a person.|I want to speak to a human.|I want to speak to someone.|I want to speak to an agent.
I'd like to speak to a person.|I would like to speak to someone, please.|I would like to talk to an operator.|Can I talk to a human?
Operator.|Agent.|Representative.|Human.|Can I speak to someone?|Let me speak to a manager, please.|Put me through to the manager.
Connect me to an agent, please.|Transfer me to an agent.|Talk to a person, please.
What are your opening hours?|What are your opening hours?|What are your opening hours?|Opening hours.|Your opening hours, please.|What are your hours?
When are you open?|When are you open?|When do you open?|When do you close?|Are you open today?|Are you open tomorrow?|Are you open now?|How late are you open?
What is your address?|What is your address?|What's your address?|Where are you?|Where are you located?|Where are you located?|Where is your office?
Where is the warehouse?|Your address, please.|How do I get there?|What is your phone number?|What's your phone number?|What is your email address?
Track my order.|Track my order.|Track my order, please.|Track my parcel.|Track my package.|I want to track my order.|I'd like to track my order.
I would like to track my parcel.|Can you track my package?|Where is my order?|Where is my order?|Where's my order?|Where is my parcel?|Where's my package?
Where is my package?|When will my order arrive?|Is my order on the way?|What is the status of my order?|Order status.
Cancel.|Cancel.|Cancel my order.|Cancel my order.|Cancel my order, please.|I want to cancel my order.|I'd like to cancel my order.|I would like to cancel my order.
Cancel that.|Confirm.|Confirm.|I would like to confirm my order.|I'd like to confirm my order.|I want to confirm my order.|Confirm my order.
Leave a message.|Leave a message.|I want to leave a message.|I'd like to leave a message.|I would like to leave a message.|Can I leave a message?
Call me back.|Please call me back.|Please call me back.|Call me back tomorrow.|Can someone call me back?|Could you call me back, please?
Stop.|Continue.|Go on.|Next.|Main menu.|Go back.|Start over.|Change it.|Is it ready?|How much does it cost?|What is the price?
I would like to pay.|Can I pay by card?|I want a refund.|My package is damaged.|My package is late.|My order is wrong.|My parcel is late.
Nobody was home.|The driver did not come.|I'm at home now.|I want to change my address.|I have a new address.|I have a question.
I have a problem.|It's urgent.|It is urgent.|I want to complain.|I want to make a complaint.|I don't have an order number.|I don't have it.
Tomorrow.|Today.|Next week.|This week.|Tomorrow morning.|In the afternoon.|This evening.|As soon as possible.|I will call again later.|I'll call back later.
Um, yes.|Uh, no.|Uh huh.|Mm hm.|Yes, yes.|No, no.|No, no, no.|Of course.|Absolutely.|Definitely.|Sounds good.|That works.|Perfect.|Great.|Good.|Not really.
I think so.|I don't think so.|Not yet.|Not now.|Never mind.|Forget it.|That's it.|Yes, I am.|Yes, I do.|No, I don't.|Yes, I have.|No, I haven't.|Yes, that's me.|Yes, go ahead.|Go ahead.
Um.|Uh.|Wait.|Wait, wait.|Wait a second.|Hang on.|Hang on a second.|Let me see.|Let me check.|Let me think.|One second.|One moment.|Just a minute.|Sorry.|Sorry, no.|Excuse me.
I need a quote.|I want a quote.|I'd like a quote, please.|I would like to book a pickup.|I need a pickup.|Can you pick it up?|I want to book a delivery.|I want to send a package.
Where is my driver?|Where is the driver?|The driver is late.|The truck is late.|The address is wrong.|I need an invoice.|I need a copy of the invoice.|Can you send me an invoice?
Is it at customs?|It is stuck in customs.|What do I need for customs?|How much is shipping?|How long does it take?|When will it arrive?|When will it be delivered?|Has it been delivered?
Has it shipped?|Did you get my message?|I have a complaint.|I want to make a claim.|Something is missing.|It's broken.|It is damaged.|I lost my order number.|I forgot my order number.
I'm calling about an order.|I'm calling about a delivery.|I'm calling about an invoice.|I want to change my order.|I want to change the delivery date.|Can I change the address?
Can you deliver it tomorrow?|Can I pick it up?|Please leave it at the door.|Leave it with a neighbor.|Do you ship to Canada?|Do you ship overseas?|I want to pay an invoice.
Can I get a receipt?|Hello, is anybody there?|How are you?|I can't hear you.|Can you speak up?|Speak louder, please.|You are breaking up.|It's a bad line.|Is this a recording?
Yesterday.|Tonight.|At noon.|At midnight.|Noon.|Midnight.|Later.|Right now.|Now.|This morning.|This afternoon.|Next month.|Last week.|On the weekend.|Weekdays."""
PLAIN = [s for s in PLAIN.replace("\n", "|").split("|") if s]

_WEIGHTED = """
14 {digits}.
3 It's {digits}.
2 It is {digits}.
6 My order number is {order}.
3 The order number is {order}.
5 Order number {order}.
3 Order {order}.
3 Order number {order}, please.
3 Track order {order}.
2 Track {thing} {order}.
2 Where is order {order}?
2 Where is my {thing} {order}?
2 My tracking number is {order}.
1 The tracking number is {order}.
2 My customer number is {digits}.
3 The number is {order}.
4 My number is {phone}.
2 My phone number is {phone}.
1 You can reach me at {phone}.
1 Call me at {phone}.
2 The code is {short}.
2 My pin is {short}.
1 Invoice number {order}.
3 Cancel order {order}.
2 Cancel order number {order}.
1 I want to cancel order {order}.
2 Confirm order {order}.
1 I want to confirm order {order}.
1 I'm calling about order {order}.
1 I have a question about order {order}.
3 No, I meant {short}.
2 No, I meant {order}.
2 Sorry, I meant {digits}.
2 No, {digits}.
1 I said {digits}.
1 Not {one}, {one}.
1 No, not {one}, {one}.
2 Yes, {digits}.
2 Yes, my order number is {order}.
2 Where is my {thing}?
1 When will my {thing} arrive?
2 Track my {thing}.
1 Track my {thing}, please.
1 I want to cancel my {thing}.
1 I want to confirm my {thing}.
1 I have a question about my {thing}.
1 I'm calling about my {thing}.
1 I am calling about my {thing}.
1 I didn't get my {thing}.
1 My {thing} did not arrive.
1 My {thing} is missing.
1 I want to return my {thing}.
1 I want to send a {thing}.
1 How many {thing}s?
2 I want to speak to {person}.
2 I'd like to speak to {person}.
1 I would like to speak to {person}, please.
2 Can I speak to {person}?
2 Can I speak to {person}, please?
2 Speak to {person}.
1 Talk to {person}.
1 Let me talk to {person}.
1 Connect me to {person}.
4 My name is {name}.
2 This is {name}.
1 This is {name} speaking.
1 Can I speak to {name}, please?
1 Please tell {name} to call me back.
1 I have a message for {name}.
1 Hello, my name is {name}.
1 {name}.
1 I want to speak to {dept}.
1 Connect me to {dept}, please.
1 {dept}.
1 {dept}, please.
2 Are you open on {day}?
1 When are you open on {day}?
1 On {day}.
2 {day}.
1 {day} {part}.
1 On {day} at {time}.
1 {day} at {time}.
1 Please deliver it on {day}.
1 Next {day}.
2 Please call me back on {day}.
2 Please call me back at {time}.
1 Please call me back on {day} at {time}.
1 Call me back at {time}.
1 Call me back tomorrow at {time}.
2 At {time}.
3 {time}.
1 Tomorrow at {time}.
1 In {month}.
1 {month}.
2 {date}.
1 On {date}.
5 {num}.
1 I have {num} packages.
1 I need {num} boxes.
1 Number {small}.
1 {small} days.
1 In {small} minutes.
1 Extension {short}.
3 {letters}.
1 {letters}, {order}.
3 {code}.
2 My reference is {code}.
2 The reference is {code}.
1 My reference number is {code}.
1 Reference {code}.
2 {nato}.
2 {asin}.
1 {asin}, {asin}.
2 It's spelled {letters}.
2 That's spelled {letters}.
1 My name is {name}, {letters}.
1 My postcode is {code}.
3 My name is {full}.
2 {full}.
2 This is {full}.
1 My name is {surname}.
1 This is {full} speaking.
1 Can I speak to Mister {surname}, please?
1 Mister {surname}.
1 Miss {surname}.
1 It's for {full}.
3 {big}.
1 I have {big} boxes.
1 It weighs {weight}.
1 About {weight}.
2 {money}.
1 It's {money}.
1 It cost {money}.
1 The invoice is for {money}.
1 {num} percent.
1 About {num}.
1 More than {big}.
1 {num} pallets.
1 {num} boxes.
1 {day}, {date}.
1 On {day}, {date}.
1 Between {clock} and {clock}.
1 From {clock} to {clock}.
1 After {time}.
1 Before {time}.
1 Around {time}.
1 In {small} days.
1 In {small} hours.
1 {small} weeks ago.
1 {small} o'clock, please.
2 No, wait, {digits}.
2 Wait, no, {digits}.
1 No, I said {digits}.
1 Sorry, it's {digits}.
1 Let me see, {digits}.
1 One moment, it's {digits}.
1 Yes, it's {digits}.
1 No, it's {digits}.
1 No, on {day}.
1 No, at {time}.
1 No, I meant {day}.
1 No, I meant {name}.
1 No, my name is {full}.
1 Actually, {digits}.
1 Actually, on {day}.
1 I meant {digits}, not {one}.
"""
TEMPLATES = [(int(w), t) for w, t in (line.split(" ", 1) for line in _WEIGHTED.strip().splitlines())]

OTHER_WORDS = """apple bridge mountain yellow river music winter kitchen dragon purple science garden window butter camera
planet horse silver engine market doctor pencil island travel summer forest castle animal cheese hammer rabbit
flower orange butterfly history weather football teacher computer bicycle chicken ocean guitar library birthday
the a of with because under over between running jumping eating singing blue green red black white happy sad
quickly slowly never always sometimes usually they we she he him her our their was were had could should would
believe remember forget imagine build write read walk swim dance cook laugh coffee sugar milk cup large medium
alexa jarvis snowboy mirror glass smart view espresso latte cappuccino hazelnut roast shot cream strong
water paper money school church village hospital station airport ticket hotel restaurant dinner breakfast lunch
brother sister mother father children uncle neighbour lawyer farmer soldier captain president king queen
marry bury throw catch steal borrow climb drive fly sail sleep dream wake whisper shout scream argue promise
degrees miles metres inches volume light
heavy narrow shallow bitter gentle clever stupid ancient modern foreign public private certain strange
potato tomato onion carrot banana lemon grape salad soup bread pepper salt rice noodle pizza burger sandwich""".split()

OTHER_SENTENCES = """Can I have a large coffee with milk?|I would like a small latte with two sugars.|Make me a strong espresso please.
Could I get a double shot cappuccino?|A medium americano with cream.|I'd like some tea and a piece of cake.
Turn on the lights in the kitchen.|Play some music.|What's the weather like today?|Set an alarm for seven.|Turn the volume down.
Tell me a joke.|Who won the game last night?|How old is the president?|The cat is sleeping on the sofa.|I went to the beach yesterday.
My brother lives in a big house.|She sells sea shells by the sea shore.|The quick brown fox jumps over the lazy dog.
We are going to the cinema tonight.|Do you like chocolate ice cream?|He has been reading that book for weeks.|It is raining outside.
The train leaves from the other platform.|They were playing football in the park.|Add milk and eggs to my shopping list.
Ask not what your country can do for you.|To be or not to be, that is the question.|Once upon a time there was a king.
I think we should paint the wall blue.|The doctor told me to rest.|Where did you buy those shoes?|Don't forget to feed the dog.
The meeting has been moved to the other building.|I can't find my glasses.|Please close the door behind you.
Her grandmother baked an apple pie.|This song reminds me of summer.|The children are learning to swim.|What time does the film start?
Book a table for two.|How do you spell that word?|The sun rises in the east.|I'd rather stay at home and watch television.
You have to take the second street on the left.|The museum is closed for repairs.|Open the window, it is hot in here.
Remind me to buy flowers.|Navigate to the nearest petrol station.|Send a text to my wife.|Switch off the television.
The price of oil has gone up again.|Scientists have found a new planet.|The government will announce a new law.|I love the smell of coffee."""
OTHER_SENTENCES = [s for s in OTHER_SENTENCES.replace("\n", "|").split("|") if s]

FOREIGN = {
    "de": "Guten Tag, ich möchte bitte einen Termin|Wo ist der Bahnhof|Das Wetter ist heute schön|Ich habe keine Zeit|Vielen Dank und bis morgen",
    "fr": "Bonjour, je voudrais un café|Où est la gare|Il fait beau aujourd'hui|Je ne comprends pas|Merci beaucoup, à demain",
    "es": "Buenos días, quiero un café|Dónde está la estación|Hace buen tiempo hoy|No entiendo nada|Muchas gracias, hasta mañana",
    "it": "Buongiorno, vorrei un caffè|Dove è la stazione|Oggi fa bel tempo|Non ho capito|Grazie mille, a domani",
    "pt": "Bom dia, eu queria um café|Onde fica a estação|O tempo está bom hoje|Não entendo|Muito obrigado, até amanhã",
    "pl": "Dzień dobry, poproszę kawę|Gdzie jest dworzec|Dzisiaj jest ładna pogoda|Nie rozumiem|Dziękuję bardzo, do jutra",
    "nl": "Goedemorgen, ik wil graag koffie|Waar is het station|Het is mooi weer vandaag|Ik begrijp het niet|Dank u wel, tot morgen",
    "sv": "God morgon, jag vill ha kaffe|Var ligger stationen|Det är fint väder idag|Jag förstår inte|Tack så mycket, vi ses",
    "ru": "Добрый день, я хочу кофе|Где вокзал|Сегодня хорошая погода|Я не понимаю|Большое спасибо, до завтра",
    "tr": "Günaydın, bir kahve istiyorum|İstasyon nerede|Bugün hava güzel|Anlamıyorum|Çok teşekkür ederim, yarın görüşürüz",
}
FOREIGN = {lang: text.split("|") for lang, text in FOREIGN.items()}
