-- Messages after a tone: how long the sound is, and what became of its words. 0: they are waited for; 1: as well, and people
-- were told meanwhile; 2: they are the text; 3: none could be had.
ALTER TABLE messages ADD COLUMN sound_ms INTEGER;
-- Which of the call's, as its file is named.
ALTER TABLE messages ADD COLUMN sound_ordinal INTEGER;
ALTER TABLE messages ADD COLUMN transcript INTEGER;
CREATE INDEX messages_unheard ON messages (id) WHERE transcript < 2;
