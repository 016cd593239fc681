-- A film rental's database in one sheet for SQLite. A line `@name@` stands for rows that the test makes.

CREATE TABLE language (
    language_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE ON CONFLICT IGNORE
);

CREATE TABLE film (
    film_id INTEGER PRIMARY KEY AUTOINCREMENT,
    title TEXT NOT NULL,
    description TEXT,
    release_year INTEGER CHECK (release_year BETWEEN 1895 AND 2155),
    language_id INTEGER NOT NULL REFERENCES language (language_id),
    length_minutes INTEGER,
    rate NUMERIC NOT NULL DEFAULT 4.99,
    rating TEXT DEFAULT 'all',
    revision INTEGER NOT NULL DEFAULT 0,
    hours REAL GENERATED ALWAYS AS (round(length_minutes / 60.0, 2)) STORED
);

CREATE TABLE [member] (
    "member_id" INTEGER NOT NULL PRIMARY KEY,
    `name` TEXT NOT NULL,
    email TEXT
) WITHOUT ROWID;

CREATE TABLE "change; log" (id INTEGER PRIMARY KEY, "what ""it"" was" TEXT NOT NULL);

INSERT INTO language VALUES (1, 'Deutsch'), (2, 'English'), (3, '日本語'), (4, 'Français');
INSERT INTO film (film_id, title, description, release_year, language_id, length_minutes, rate, rating) VALUES
@film@;
INSERT INTO member (member_id, name, email) VALUES
@member@;

/* Triggers; with statements of their own; and a comment that is none: -- */
CREATE TRIGGER film_revision AFTER UPDATE OF title ON film
WHEN new.title IS NOT old.title
BEGIN
    UPDATE film SET revision = CASE WHEN old.revision IS NULL THEN 1 ELSE old.revision + 1 END
        WHERE film_id = new.film_id;
    -- a comment; inside
    INSERT INTO "change; log" ("what ""it"" was") VALUES ('renamed; ' || old.title);
END;

CREATE TEMP TRIGGER not_kept AFTER INSERT ON language BEGIN SELECT 1; END;
DROP TRIGGER not_kept;

CREATE VIEW film_list AS
SELECT film.film_id AS fid, film.title, language.name AS language,
    CASE WHEN rate < 2 THEN 'cheap' WHEN rate < 5 THEN 'usual' ELSE 'dear' END AS price
FROM film JOIN language USING (language_id);

CREATE TRIGGER film_list_change INSTEAD OF UPDATE ON film_list BEGIN
    UPDATE film SET title = new.title WHERE film_id = old.fid;
END;

CREATE INDEX film_title ON film (title COLLATE NOCASE) WHERE length_minutes > 60;
UPDATE film SET title = title || ' (new)' WHERE film_id % 50 = 0;
UPDATE film_list SET title = 'Through; the view' WHERE fid = 7;
DELETE FROM member WHERE member_id = 600;
INSERT INTO "change; log" ("what ""it"" was") VALUES
    ('it''s; here'), ('no \ escape'), (x'4142' || ';'), ('two
lines'), ('-- none'), ('/* none */');
WITH RECURSIVE upto(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM upto WHERE n < 100)
INSERT INTO "change; log" ("what ""it"" was") SELECT 'sum; ' || sum(n) FROM upto
