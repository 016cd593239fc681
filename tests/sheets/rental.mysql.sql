-- A film rental's database in one sheet for MySQL and MariaDB, as mysqldump and people write them. A line `@name@` stands for
-- rows that the test makes.

/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!50503 SET NAMES utf8mb4 */;
/*!40103 SET @OLD_TIME_ZONE=@@TIME_ZONE */;
/*!40103 SET TIME_ZONE='+00:00' */;
/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;
/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;
/*M!100616 SET @OLD_NOTE_VERBOSITY=@@NOTE_VERBOSITY, NOTE_VERBOSITY=0 */;
# A comment of the third kind; with a semicolon and a ' quote.

DROP TABLE IF EXISTS `language`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `language` (
  `language_id` tinyint unsigned NOT NULL AUTO_INCREMENT,
  `name` char(20) NOT NULL,
  PRIMARY KEY (`language_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
/*!40101 SET character_set_client = @saved_cs_client */;

CREATE TABLE film (
  film_id INT UNSIGNED NOT NULL AUTO_INCREMENT,
  title VARCHAR(200) NOT NULL COMMENT 'as on the box; not the poster''s',
  description TEXT DEFAULT NULL,
  release_year YEAR DEFAULT NULL,
  language_id TINYINT UNSIGNED NOT NULL,
  length_minutes SMALLINT UNSIGNED DEFAULT NULL,
  rate DECIMAL(4,2) NOT NULL DEFAULT 4.99,
  rating ENUM('all','from 6','from 12','from 16','adults; only') DEFAULT 'all',
  features SET('Trailers','Commentaries','Deleted Scenes') DEFAULT NULL,
  revision INT NOT NULL DEFAULT 0,
  /*M!100000 hours DECIMAL(5,2) GENERATED ALWAYS AS (ROUND(length_minutes / 60, 2)) STORED, */
  PRIMARY KEY (film_id),
  KEY film_title (title),
  CONSTRAINT film_language FOREIGN KEY (language_id) REFERENCES `language` (language_id) ON DELETE RESTRICT ON UPDATE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE film_text (
  film_id INT UNSIGNED NOT NULL,
  title VARCHAR(255) NOT NULL,
  description TEXT,
  PRIMARY KEY (film_id),
  FULLTEXT KEY film_text_words (title, description)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE member (
  member_id INT NOT NULL,
  name VARCHAR(100) NOT NULL,
  email VARCHAR(100) DEFAULT NULL,
  active TINYINT(1) NOT NULL DEFAULT 1,
  joined DATE NOT NULL,
  location /*!50705 GEOMETRY */ /*M! GEOMETRY */ NOT NULL,
  PRIMARY KEY (member_id),
  SPATIAL KEY member_location (location)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE loan (
  loan_id INT NOT NULL,
  film_id INT UNSIGNED NOT NULL,
  member_id INT NOT NULL,
  loan_day DATE NOT NULL,
  returned DATETIME(3) DEFAULT NULL,
  PRIMARY KEY (loan_id),
  UNIQUE KEY loan_once (loan_day, film_id, member_id),
  CONSTRAINT loan_film FOREIGN KEY (film_id) REFERENCES film (film_id),
  CONSTRAINT loan_member FOREIGN KEY (member_id) REFERENCES member (member_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE payment (
  payment_id INT NOT NULL,
  loan_id INT NOT NULL,
  amount DECIMAL(6,2) NOT NULL,
  paid DATETIME NOT NULL,
  PRIMARY KEY (payment_id, paid)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
PARTITION BY RANGE (YEAR(paid) * 100 + MONTH(paid)) (
  PARTITION first_half VALUES LESS THAN (202507),
  PARTITION second_half VALUES LESS THAN (202601),
  PARTITION other VALUES LESS THAN MAXVALUE
);

CREATE TABLE `change; log` (
  `id` INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  `what ``it`` was` VARCHAR(200) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- Triggers.

DELIMITER ;;
CREATE TRIGGER film_added AFTER INSERT ON film FOR EACH ROW BEGIN
    INSERT INTO film_text (film_id, title, description)
        VALUES (new.film_id, new.title, new.description);
  END;;

CREATE TRIGGER film_changed AFTER UPDATE ON film FOR EACH ROW BEGIN
    IF (old.title != new.title) OR (old.description != new.description)
    THEN
        UPDATE film_text
            SET title=new.title, description=new.description
        WHERE film_id=old.film_id;
    END IF;
  END;;

/*!50003 CREATE*/ /*!50003 TRIGGER film_revision BEFORE UPDATE ON film FOR EACH ROW BEGIN
    -- a comment; inside
    SET new.revision = old.revision + 1;
  END */;;
DELIMITER ;

-- Rows.

LOCK TABLES `language` WRITE;
/*!40000 ALTER TABLE `language` DISABLE KEYS */;
INSERT INTO `language` VALUES (1,'Deutsch'),(2,'English'),(3,'日本語'),(4,'Français');
/*!40000 ALTER TABLE `language` ENABLE KEYS */;
UNLOCK TABLES;

INSERT INTO film (film_id, title, description, release_year, language_id, length_minutes, rate, rating, features) VALUES
@film@;
INSERT INTO member (member_id, name, email, active, joined, location) VALUES
@member@;
INSERT INTO loan VALUES
@loan@;
INSERT INTO payment VALUES
@payment@;

INSERT INTO `change; log` (`what ``it`` was`) VALUES
  ('It\'s; an escape'), ("double \"quotes\"; too"), ('doubled '' one'), ('a \\ backslash;'),
  ('-- no comment'), ('# none either'), ('/* nor this */'), ('two ' 'parts'), (_utf8mb4'introduced;'),
  (CONCAT('a', CHAR(59), 'b')), (X'4D7953514C'), ('tab\tand\nline');

-- Routines.

DELIMITER //

CREATE PROCEDURE film_in_stock(IN wanted INT, OUT in_stock INT)
READS SQL DATA
COMMENT 'counts; nothing else'
BEGIN
     SELECT COUNT(*) INTO in_stock
     FROM loan
     WHERE film_id = wanted AND returned IS NOT NULL;
END //

CREATE FUNCTION price_class(amount DECIMAL(6,2)) RETURNS VARCHAR(10) DETERMINISTIC NO SQL
BEGIN
    RETURN CASE WHEN amount < 2 THEN 'cheap' WHEN amount < 5 THEN 'usual' ELSE 'dear' END;
END //

CREATE PROCEDURE add_member(IN new_id INT, IN new_name VARCHAR(100))
this_one: BEGIN
    DECLARE is_there BOOLEAN DEFAULT FALSE;
    DECLARE EXIT HANDLER FOR SQLSTATE '23000'
    BEGIN
        INSERT INTO `change; log` (`what ``it`` was`) VALUES (CONCAT('there already; ', new_name));
    END;
    DECLARE CONTINUE HANDLER FOR NOT FOUND SET is_there = FALSE;
    IF new_name = '' THEN
        LEAVE this_one;
    END IF;
    INSERT INTO member VALUES (new_id, new_name, NULL, 1, '2025-01-01', POINT(0, 0));
    WHILE NOT is_there DO
        SELECT TRUE INTO is_there FROM member WHERE member_id = new_id;
    END WHILE;
    INSERT INTO `change; log` (`what ``it`` was`) VALUES (CONCAT('added; ', new_name));
END //

CREATE PROCEDURE sum_of_films(IN upto INT)
BEGIN
    DECLARE done INT DEFAULT 0;
    DECLARE one INT;
    DECLARE total INT DEFAULT 0;
    DECLARE films CURSOR FOR SELECT film_id FROM film WHERE film_id <= upto ORDER BY film_id;
    DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = 1;
    OPEN films;
    reading: LOOP
        FETCH films INTO one;
        IF done THEN LEAVE reading; END IF;
        SET total = total + one;
    END LOOP;
    CLOSE films;
    INSERT INTO `change; log` (`what ``it`` was`) VALUES (CONCAT('sum; ', total));
END
//

DELIMITER $$
CREATE EVENT forget_old_loans
    ON SCHEDULE EVERY 1 MONTH STARTS '2037-01-01 00:00:00'
    ON COMPLETION PRESERVE DISABLE
    COMMENT 'far away; and off'
    DO BEGIN
        DELETE FROM loan WHERE loan_day < '2000-01-01';
        DELETE FROM payment WHERE paid < '2000-01-01';
    END$$
DELIMITER ;

CALL add_member(1001, 'The new one; really');
CALL add_member(1001, 'The same again');
CALL add_member(1002, '');
CALL sum_of_films(100);

-- Views.

CREATE VIEW film_list AS
SELECT film.film_id AS fid, film.title AS title, `language`.name AS language, price_class(film.rate) AS price
FROM film INNER JOIN `language` USING (language_id);

CREATE SQL SECURITY INVOKER VIEW sales_by_half AS
SELECT YEAR(paid) AS paid_year, CEIL(MONTH(paid) / 6) AS half, SUM(amount) AS total_sales
FROM payment GROUP BY YEAR(paid), CEIL(MONTH(paid) / 6);

UPDATE film SET title = CONCAT(title, ' (new)') WHERE film_id % 50 = 0;
DELETE FROM member WHERE member_id = 600;
CREATE INDEX payment_loan ON payment (loan_id) COMMENT 'for; joins';
ALTER TABLE member ADD CONSTRAINT member_email CHECK (email <> '');

/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;
/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;
/*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;
/*!40014 SET UNIQUE_CHECKS=@OLD_UNIQUE_CHECKS */;
/*M!100616 SET NOTE_VERBOSITY=@OLD_NOTE_VERBOSITY */;
SELECT COUNT(*) FROM film_list\G
