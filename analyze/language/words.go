package language

// maxLatin bounds the number of Latin-script languages: their indexes are bits.
const maxLatin = 16

// latinLanguages are told apart by their small words and own letters. Words
// that people type without their accents are listed both ways.
var latinLanguages = []struct{ code, words, letters string }{
	{"en", `the be to of and a in that have i it for not on with he as you do at this but his by from
		they we say her she or an will my one all would there their what so up out if about who get which
		go me when can like time just him know take people into year your good some could them see other
		than then now only its over think also after use our work first even new want because any these
		give day most us is are was were been has had did does don didn doesn isn won ve ll re t why how
		where still today again never got im cant dont am please really more very too here down off been
		no love going tomorrow may back been thanks help`, ""},
	{"de", `der die das und ist ich nicht ein eine es zu in den mit auf für von sich dem auch des im
		wie noch bei nach so aus wenn aber nur oder hat haben wird werden war sind wir ihr sie er du mir
		mich dir dich uns euch mein meine dein kein keine einen einem einer dass daß schon mal wieder immer
		heute jetzt hier da doch ja nein was wer wo warum kann muss soll will mehr sehr gut ganz alle alles
		über unter zum zur vom beim durch gegen seit bis als dann denn weil um vor man habe hab fur uber
		leider endlich morgen geht gibt macht danke bitte leute`, "ßäöü"},
	{"fr", `le la les de des du un une et est en que qui dans pour pas sur avec ce il elle je tu nous vous
		ils elles au aux par plus ne se son sa ses mon ma mes ton ta tes notre votre leur c d j l n s qu
		ça ca cette ces mais ou où donc si tout tous toute très tres bien fait faire être etre avoir ai as
		a ont sont était etait été ete suis es même meme comme quand aussi encore toujours jamais rien
		moi toi lui y sans sous chez merci bonjour aujourd hui demain ici là va vais peut faut quoi pourquoi
		depuis après apres avant entre trop peu`, "œçèêàùîûë"},
	{"es", `el la los las un una unos unas de del al y e o que en es no se lo por con para su sus mi mis tu
		tus me te le les nos como más mas pero si sí ya muy bien está esta están este esto estos estas ese
		eso hay ser son fue era soy eres somos tiene tengo tienen hace hacer porque cuando donde qué quien
		quién todo todos toda nada nunca siempre hoy ayer mañana ahora aquí aqui sin sobre entre hasta desde
		también tambien vez yo él ella ustedes gracias puede voy va día dia año años mejor`, "ñ¿¡"},
	{"it", `il lo la i gli le un uno una di del della dei delle da dal dalla in nel nella con su sul sulla
		per tra fra e è ed o ma che chi cui non si mi ti ci vi se come più piu anche solo ancora già gia
		mai sempre oggi ieri domani ora adesso qui questo questa questi queste quello quella sono sei siamo
		siete era ho hai ha abbiamo hanno essere fare fatto molto tutto tutti tutta niente bene perché perche
		quando dove cosa così cosi poi io lui lei noi voi loro mio mia tuo suo al alla ai alle grazie dopo
		prima senza ogni proprio`, "ìòàè"},
	{"pt", `o os as um uma uns umas de do da dos das no na nos nas em ao aos à às pelo pela por para pra
		com e é que não nao se eu você voce vc ele ela nós eles elas meu minha meus minhas seu sua isso isto
		esse essa este esta aquele mas mais muito muita bem ser são sao foi era está estão tá ta estou tem
		tenho ter vai vou fazer porque quando onde quem como já ja sem sobre até ate também tambem só so
		nada tudo todos hoje ontem amanhã amanha agora aqui sempre nunca obrigado obrigada ainda depois
		gente dia ano pois`, "ãõçê"},
	{"nl", `de het een en van ik je is dat die in te niet op zijn met voor er maar om als ook aan wel nog
		bij naar uit door over dan zo nu geen wat wie waar hoe dit deze mijn jouw zijn haar ons onze hun we
		wij jij hij zij ze hem mij me heb hebt heeft hebben was waren wordt worden kan kunnen moet moeten
		zou zal gaan gaat doen doet weer al alleen altijd nooit vandaag morgen gisteren heel veel meer goed
		omdat want toch eens even iets niets iemand alle alles bent ben bedankt graag tot sinds onder`, ""},
	{"pl", `i w na z do się sie nie to że ze jest o jak a po co tak za od za jego jej ale czy dla już juz
		tylko może moze bardzo przez przy tego tym ten ta te są sa był była było być byc mnie mi ci ja ty
		on ona my wy oni dziś dzisiaj jutro teraz tu tam gdzie kiedy dlaczego bo gdy jeszcze mam masz ma
		mają pan pani dzień dzięki proszę wszystko nic nigdy zawsze`, "łąęśżźćń"},
	{"sv", `och i att det som en på är av för med till den har de inte om ett var jag du han hon vi ni man
		så men sig från kan ska skulle hade nu när där här vad hur varför också bara mycket mer ingen
		inget alla allt något nån någon mig dig oss er min mitt din sin idag igen aldrig alltid tack efter
		utan under mot eller blir bli`, "åäö"},
	{"da", `og i at det som en på er af for med til den har de ikke om et var jeg du han hun vi man så men
		sig fra kan skal skulle havde nu når der her hvad hvor hvorfor også kun meget mere ingen noget
		alle alt nogen mig dig os jer min mit din sin dag igen aldrig altid tak efter uden under mod eller
		bliver blive være været lige godt`, "æøå"},
	{"no", `og i at det som en på er av for med til den har de ikke om et var jeg du han hun vi man så men
		seg fra kan skal skulle hadde nå når der her hva hvor hvorfor også bare mye mer ingen noe alle alt
		noen meg deg oss dere min mitt din sin dag igjen aldri alltid takk etter uten under mot eller blir
		bli være vært bra`, "æøå"},
	{"fi", `ja on ei se että en hän mutta oli niin kun jos nyt minä sinä me te he tämä se nämä mikä mitä
		missä miksi kuin myös vain ole olen ovat olla ollut vielä kaikki mun sun sä mä aina koskaan tänään
		huomenna kiitos hyvä paljon tai vai joka sen siitä siellä täällä`, "äö"},
	{"tr", `ve bir bu da de için ne o ben sen biz siz onlar çok daha en gibi ile mi mı mu mü var yok değil
		degil ama ya ki her şey sey kadar sonra önce olarak olan oldu olmuş diye bile beni seni bana sana
		benim senin artık hiç hala hep şu nasıl neden nerede kim bugün yarın`, "ğışç"},
	{"id", `yang dan di ini itu dengan untuk tidak dari dalam akan pada juga saya aku kamu dia kami kita
		mereka ada adalah sudah belum bisa harus atau karena kalau jadi ke tapi lagi aja gak nggak ga yg
		dgn apa siapa kenapa bagaimana mana sangat banyak semua hari tahun orang baru masih telah oleh
		sama saja`, ""},
	{"cs", `a je v na se že s z do to o i ale za by jsem jsi jsme jste jsou byl byla bylo být bude pro
		jako jak po tak co ten ta který která které už jen když nebo ještě není má mám máte si mi mě mu
		ho jeho její kde kdy proč protože dnes zítra teď tady tam děkuji díky prosím vše nic`, "řěůčžšý"},
	{"ro", `și si în in de la cu pe nu că ca un o este e sunt pentru din mai ce dar sau al ai ale am are au
		fost fi să sa se le lui ei noi voi eu tu el ea când cum unde de ce acum azi mâine aici acolo tot
		toate foarte bine doar după până fără despre`, "șțăâî"},
}
