package demo

// city is a place with properties, two of its quarters or landmarks, and how
// many properties it has at most.
type city struct {
	name     string
	quarters [2]string
	most     int
}

var cities = []city{
	{"Paris", [2]string{"Canal Saint-Martin", "Butte-aux-Cailles"}, 6},
	{"Lyon", [2]string{"Croix-Rousse", "Vieux Lyon"}, 4},
	{"Marseille", [2]string{"Le Panier", "Vieux-Port"}, 3},
	{"Évry", [2]string{"Bras-de-Fer", "bords de Seine"}, 3},
	{"Orléans", [2]string{"Saint-Marceau", "quais de Loire"}, 3},
	{"Saint-Étienne", [2]string{"Jacquard", "Montaud"}, 2},
	{"Besançon", [2]string{"Battant", "La Boucle"}, 2},
	{"Nîmes", [2]string{"Écusson", "Jardins de la Fontaine"}, 2},
	{"Angoulême", [2]string{"Vieille Ville", "L'Houmeau"}, 1},
	{"Béziers", [2]string{"Saint-Jacques", "Canal du Midi"}, 1},
	{"Nantes", [2]string{"Trentemoult", "Île de Nantes"}, 2},
	{"Strasbourg", [2]string{"Petite France", "Neudorf"}, 2},
	{"Rennes", [2]string{"Thabor", "Sainte-Thérèse"}, 2},
	{"Bordeaux", [2]string{"Chartrons", "Saint-Michel"}, 2},
	{"Lille", [2]string{"Vieux-Lille", "Wazemmes"}, 2},
	{"Genève", [2]string{"Carouge", "Pâquis"}, 2},
	{"Zürich", [2]string{"Wipkingen", "Niederdorf"}, 2},
	{"Köln", [2]string{"Ehrenfeld", "Südstadt"}, 2},
	{"München", [2]string{"Au", "Glockenbach"}, 1},
	{"Kraków", [2]string{"Kazimierz", "Podgórze"}, 2},
	{"Łódź", [2]string{"Księży Młyn", "Bałuty"}, 2},
	{"Plzeň", [2]string{"Lobzy", "Slovany"}, 1},
	{"Győr", [2]string{"Révfalu", "Belváros"}, 1},
	{"Brașov", [2]string{"Schei", "Centrul Vechi"}, 1},
	{"Málaga", [2]string{"La Malagueta", "El Perchel"}, 2},
	{"A Coruña", [2]string{"Monte Alto", "Riazor"}, 1},
	{"Århus", [2]string{"Latinerkvarteret", "Trøjborg"}, 1},
	{"Göteborg", [2]string{"Haga", "Majorna"}, 1},
	{"Tromsø", [2]string{"Tromsdalen", "Sentrum"}, 1},
	{"Θεσσαλονίκη", [2]string{"Άνω Πόλη", "Λαδάδικα"}, 1},
	{"Пловдив", [2]string{"Капана", "Старият град"}, 1},
	{"Lisboa", [2]string{"Alfama", "Campo de Ourique"}, 2},
	{"Genova", [2]string{"Boccadasse", "Castelletto"}, 1},
}
